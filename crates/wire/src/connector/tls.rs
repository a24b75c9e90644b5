//! TLS: the system's roots, a CA file beside them, or no verification at all.
//!
//! `SSL_CERT_FILE` and `SSL_CERT_DIR` take the place of the system's roots. Roots are loaded when they
//! are first needed, so plain runs do not pay for them. ALPN offers HTTP/1.1 alone. A server whose own
//! certificate is among the trusted ones is trusted, even if the certificate says CA:TRUE.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use loadgen_core::ErrorDetail;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, IpAddr, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};

use super::ConnectorError;
use crate::arrivals::Arrivals;
use crate::error::{detail, detail_of};
use crate::link::Link;
use crate::socket::Socket;
use crate::target::Target;
use crate::tls_session::TlsSession;

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
        let verifier = Verifier {
            trusted: self.verify.then(|| Trusted::new(self.trusted())),
            algorithms: self.provider.signature_verification_algorithms,
        };
        let mut config =
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::clone(self.config.get_or_init(|| Arc::new(config))))
    }

    /// What the system trusts, and the given file.
    fn trusted(&self) -> Vec<CertificateDer<'static>> {
        // Some hundred files and as many parses: the same for every connector of the process.
        static SYSTEM: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
        let mut trusted = SYSTEM.get_or_init(|| rustls_native_certs::load_native_certs().certs).clone();
        trusted.extend(self.extra_roots.iter().cloned());
        trusted
    }

    /// Shakes hands over a fresh connection to `target`, whose host has sent `position` bytes so far.
    pub(super) async fn handshake(
        &self,
        target: &Target,
        socket: Socket,
        arrivals: Arrivals,
        position: u64,
    ) -> Result<Link, ErrorDetail> {
        let cannot = |error| detail_of("ClientConnectorSSLError", "TLS cannot be set up", &error);
        let config = self.config().map_err(cannot)?;
        let name = match target.ip() {
            Some(ip) => ServerName::IpAddress(IpAddr::from(ip)),
            None => ServerName::try_from(target.host().to_owned()).map_err(|_| {
                detail("ClientConnectorSSLError", &format!("{} is no name TLS can verify", target.host()))
            })?,
        };
        let session = TlsSession::new(ClientConnection::new(config, name).map_err(cannot)?, position);
        match Link::secured(socket, arrivals, session).await {
            Ok(link) => Ok(link),
            Err(error) => {
                let reason = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
                let host = target.authority();
                let (error_type, message) = match reason {
                    Some(rustls::Error::InvalidCertificate(fault)) => {
                        ("ClientConnectorCertificateError", refusal(host, fault))
                    }
                    _ => {
                        ("ClientConnectorSSLError", format!("the TLS handshake with {host} failed: {error}"))
                    }
                };
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

/// Why a certificate was refused, and what to do about it.
fn refusal(host: &str, fault: &CertificateError) -> String {
    if is_ca_as_server(fault) {
        return format!(
            "the certificate of {host} is a certificate authority's (CA:TRUE) and is not itself trusted: \
             give exactly this certificate with --ca-file, or do without verification with --insecure"
        );
    }
    let remedy = match fault {
        CertificateError::UnknownIssuer => {
            "give it, or its issuer's, with --ca-file, or do without verification with --insecure"
        }
        _ => "--ca-file does not mend that; --insecure does without verification",
    };
    format!("the certificate of {host} is refused: {fault}: {remedy}")
}

/// Whether the server's own certificate says that it is a CA's. What `openssl req -x509` makes does.
fn is_ca_as_server(fault: &CertificateError) -> bool {
    let CertificateError::Other(OtherError(cause)) = fault else { return false };
    matches!(cause.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// Certificates that are trusted: those they lead to, and they themselves.
///
/// The latter are what people with a self-signed certificate have: it says CA:TRUE by default, which
/// the usual rules take for no server's certificate. To whoever trusts exactly these bytes it is one.
#[derive(Debug)]
struct Trusted {
    roots: RootCertStore,
    certificates: HashSet<CertificateDer<'static>>,
}

impl Trusted {
    /// A certificate that cannot be parsed is left out, as every TLS library does: the handshake that
    /// would need it fails and says so.
    fn new(certificates: Vec<CertificateDer<'static>>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates.iter().cloned());
        Self { roots, certificates: certificates.into_iter().collect() }
    }
}

/// Decides which servers are talked to.
#[derive(Debug)]
struct Verifier {
    /// What a server's certificate has to lead to. `None` takes any certificate, for servers under
    /// test that have none worth the name; signatures are still checked, so the handshake is the same
    /// work as a verified one.
    trusted: Option<Trusted>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(trusted) = &self.trusted else { return Ok(ServerCertVerified::assertion()) };
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let signed = verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &trusted.roots,
            intermediates,
            now,
            self.algorithms.all,
        );
        match signed {
            // This is found out only once the dates are known to be right.
            Err(rustls::Error::InvalidCertificate(fault))
                if is_ca_as_server(&fault) && trusted.certificates.contains(end_entity) => {}
            other => other?,
        }
        verify_server_name(&certificate, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
