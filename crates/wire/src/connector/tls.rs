//! TLS: the system's roots, a CA file beside them, or no verification at all.
//!
//! `SSL_CERT_FILE` and `SSL_CERT_DIR` take the place of the system's roots. Roots are loaded when they
//! are first needed, so plain runs do not pay for them. ALPN offers HTTP/1.1 alone.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use loadgen_core::ErrorDetail;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, IpAddr, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use super::ConnectorError;
use crate::error::{detail, detail_of};
use crate::stamped_io::StampedIo;
use crate::stream::Stream;
use crate::target::Target;

/// What TLS connections share.
#[derive(Debug)]
pub(super) struct Tls {
    provider: Arc<CryptoProvider>,
    extra_roots: Vec<CertificateDer<'static>>,
    verify: bool,
    config: OnceLock<Arc<ClientConfig>>,
}

impl Tls {
    pub(super) fn new(verify: bool, ca_file: Option<&Path>) -> Result<Self, ConnectorError> {
        let extra_roots = ca_file.map(read_certificates).transpose()?.unwrap_or_default();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(Self { provider, extra_roots, verify, config: OnceLock::new() })
    }

    /// The configuration of all TLS connections, made when first asked for.
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?;
        let mut config = if self.verify {
            builder.with_root_certificates(self.roots()).with_no_client_auth()
        } else {
            let trust_all = Arc::new(TrustAll(Arc::clone(&self.provider)));
            builder.dangerous().with_custom_certificate_verifier(trust_all).with_no_client_auth()
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::clone(self.config.get_or_init(|| Arc::new(config))))
    }

    /// What the system trusts, and the given file. A root that cannot be parsed is left out, as
    /// every TLS library does: the handshake that would need it fails and says so.
    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs().certs;
        roots.add_parsable_certificates(system.into_iter().chain(self.extra_roots.iter().cloned()));
        roots
    }

    /// Makes a TLS stream of a fresh connection to `target`.
    pub(super) async fn handshake(&self, target: &Target, io: StampedIo) -> Result<Stream, ErrorDetail> {
        let config = self
            .config()
            .map_err(|error| detail_of("ClientConnectorSSLError", "TLS cannot be set up", &error))?;
        let name = match target.ip() {
            Some(ip) => ServerName::IpAddress(IpAddr::from(ip)),
            None => ServerName::try_from(target.host().to_owned()).map_err(|_| {
                detail("ClientConnectorSSLError", &format!("{} is no name TLS can verify", target.host()))
            })?,
        };
        match TlsConnector::from(config).connect(name, io).await {
            Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
            Err(error) => {
                let reason = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
                let is_certificate = matches!(reason, Some(rustls::Error::InvalidCertificate(_)));
                let error_type = if is_certificate {
                    "ClientConnectorCertificateError"
                } else {
                    "ClientConnectorSSLError"
                };
                let message = format!("the TLS handshake with {} failed: {error}", target.authority());
                Err(detail_of(error_type, &message, &error))
            }
        }
    }
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectorError> {
    let fault = |reason: String| ConnectorError::CaFile { path: PathBuf::from(path), reason };
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| fault(error.to_string()))?;
    if certificates.is_empty() {
        return Err(fault("it has no PEM certificate".to_owned()));
    }
    Ok(certificates)
}

/// Takes any certificate, for servers under test that have none worth the name. Signatures are
/// still checked, so the handshake is the same work as a verified one.
#[derive(Debug)]
struct TrustAll(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
