//! The server's end of TLS: a certificate from files, or one made on the spot.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};

/// What makes a server speak TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// A certificate of its own for `localhost` and the address it listens on, made when it starts.
    SelfSigned,
    /// A certificate chain and its private key, both in PEM.
    Files {
        /// The chain, the server's own certificate first.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
    },
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that could not be read as PEM.
    #[error("{flag} {}: {reason}", path.display())]
    File {
        /// The flag that named it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// A certificate and a key that do not go together, or that TLS has no use for.
    #[error("--tls-cert and --tls-key cannot be used together: {0}")]
    Pair(rustls::Error),
    /// A certificate that could not be made.
    #[error("cannot make a certificate; give one by --tls-cert and --tls-key: {0}")]
    Made(String),
}

impl Tls {
    /// The configuration of a server at `host`.
    pub(crate) fn server(&self, host: IpAddr) -> Result<Arc<ServerConfig>, TlsError> {
        let (chain, key) = match self {
            Self::SelfSigned => self_signed(host)?,
            Self::Files { cert, key } => (read_chain(cert)?, read_key(key)?),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Pair)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(TlsError::Pair)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn self_signed(host: IpAddr) -> Result<Identity, TlsError> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), host.to_string()])
        .map_err(|error| TlsError::Made(error.to_string()))?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    Ok((vec![made.cert.der().clone()], key.into()))
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fault = |reason: String| TlsError::File { flag: "--tls-cert", path: path.to_owned(), reason };
    let chain: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| fault(error.to_string()))?;
    if chain.is_empty() {
        return Err(fault("holds no certificate in PEM".to_owned()));
    }
    Ok(chain)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| TlsError::File {
        flag: "--tls-key",
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::Ipv4Addr;

    use super::*;

    const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn a_certificate_of_its_own_or_from_files() {
        assert!(Tls::SelfSigned.server(HOST).is_ok());
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let tls = Tls::Files { cert: cert.clone(), key: key.clone() };
        assert!(tls.server(HOST).is_ok());

        let said = |cert: &Path, key: &Path| {
            let tls = Tls::Files { cert: cert.to_owned(), key: key.to_owned() };
            tls.server(HOST).err().unwrap().to_string()
        };
        assert!(said(&folder.path().join("none"), &key).starts_with("--tls-cert "));
        assert!(said(&cert, &folder.path().join("none")).starts_with("--tls-key "));
        assert!(said(&key, &key).contains("holds no certificate"));
        assert!(said(&cert, &cert).starts_with("--tls-key "));
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&key, other.signing_key.serialize_pem()).unwrap();
        assert!(said(&cert, &key).contains("cannot be used together"));
    }
}
