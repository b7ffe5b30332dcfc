//! TLS configurations that can change while connections are made with them.

use crate::certs::{self, Error};
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A certificate and its key on disk, and the configuration last made from them.
pub(crate) struct Identity {
    certificate: PathBuf,
    key: PathBuf,
    alpn: Vec<Vec<u8>>,
    current: ArcSwap<ServerConfig>,
}

impl Identity {
    /// Reads both files. `alpn`: protocols to offer, none for SIP.
    pub fn load(certificate: &Path, key: &Path, alpn: &[&[u8]]) -> Result<Identity, Error> {
        let alpn: Vec<Vec<u8>> = alpn.iter().map(|p| p.to_vec()).collect();
        let config = read(certificate, key, &alpn)?;
        Ok(Identity {
            certificate: certificate.into(),
            key: key.into(),
            alpn,
            current: ArcSwap::from_pointee(config),
        })
    }

    /// What new connections use.
    pub fn current(&self) -> Arc<ServerConfig> {
        self.current.load_full()
    }

    /// Reads the files again. When they cannot be used, the old configuration stays in force.
    pub fn reload(&self) -> Result<(), Error> {
        self.current
            .store(Arc::new(read(&self.certificate, &self.key, &self.alpn)?));
        Ok(())
    }

    /// The files that it is made from.
    pub fn files(&self) -> [&Path; 2] {
        [&self.certificate, &self.key]
    }
}

fn read(certificate: &Path, key: &Path, alpn: &[Vec<u8>]) -> Result<ServerConfig, Error> {
    let unusable = |path: &Path, why: String| Error::Unusable {
        path: path.to_owned(),
        why,
    };
    let facts = certs::facts(certificate)?;
    if facts.days_left < 0 {
        return Err(Error::Expired {
            path: certificate.to_owned(),
            when: facts.not_after,
        });
    }
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|e| unusable(certificate, e.to_string()))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| unusable(key, e.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| unusable(certificate, e.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|e| unusable(certificate, e.to_string()))?;
    config.alpn_protocols = alpn.to_vec();
    Ok(config)
}
