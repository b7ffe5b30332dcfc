//! Development certificates, and the dates of any.
//!
//! A development CA (ten years) signs one server certificate (90 days) for `localhost`, 127.0.0.1 and ::1. Both are made
//! on first run; the server certificate is made anew when it has expired or is about to. Private keys are readable by
//! their owner only and never leave the directory. Production certificates come from your own CA: see certs/README.md.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// File names in a certificate directory.
pub const CA: &str = "ca.pem";
const CA_KEY: &str = "ca.key";
/// The server's certificate chain.
pub const SERVER: &str = "server.pem";
/// The server's private key.
pub const SERVER_KEY: &str = "server.key";

const CA_DAYS: u64 = 3650;
const SERVER_DAYS: u64 = 90;

/// A server certificate with less life than this is made anew at start.
const RENEW_DAYS: u64 = 14;

const DAY: Duration = Duration::from_secs(86_400);

/// A certificate or key that cannot be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It could not be made.
    #[error("a development certificate could not be made: {0}")]
    Make(#[from] rcgen::Error),
    /// It cannot be parsed, or key and certificate do not belong together.
    #[error("{path}: {why}; a PEM file with the certificate chain, and its key, are needed")]
    Unusable {
        /// Which.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// It has expired.
    #[error(
        "the certificate {path} expired on {when}: put a new one there, or run `pointsman certs renew` for a development certificate"
    )]
    Expired {
        /// Which.
        path: PathBuf,
        /// When.
        when: String,
    },
}

/// What is known of a certificate.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Where it lies.
    pub path: PathBuf,
    /// Whom it names.
    pub subject: String,
    /// From when it is valid, RFC 3339.
    pub not_before: String,
    /// Until when, RFC 3339.
    pub not_after: String,
    /// Days left; negative when it has expired.
    pub days_left: i64,
}

/// Makes what is missing: CA, server certificate. Says what was made.
///
/// # Errors
/// When files cannot be read or written.
pub fn init(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    make(dir, false)
}

/// Makes a new server certificate whatever the age of the old one; the CA stays.
///
/// # Errors
/// As [`init`].
pub fn renew(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    make(dir, true)
}

/// Facts of the CA's and the server's certificate.
///
/// # Errors
/// When one is missing or damaged.
pub fn show(dir: &Path) -> Result<Vec<Facts>, Error> {
    [CA, SERVER].iter().map(|name| facts(&dir.join(name))).collect()
}

/// Facts of the first certificate of a PEM file.
///
/// # Errors
/// When there is none.
pub fn facts(path: &Path) -> Result<Facts, Error> {
    let text = std::fs::read(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })?;
    let unusable = |why: String| Error::Unusable {
        path: path.to_owned(),
        why,
    };
    let (_, pem) = x509_parser::pem::parse_x509_pem(&text).map_err(|e| unusable(e.to_string()))?;
    let certificate = pem.parse_x509().map_err(|e| unusable(e.to_string()))?;
    let validity = certificate.validity();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs() as i64);
    let show = |t: i64| jiff::Timestamp::from_second(t).map_or_else(|_| t.to_string(), |t| t.to_string());
    let end = validity.not_after.timestamp();
    Ok(Facts {
        path: path.to_owned(),
        subject: certificate.subject().to_string(),
        not_before: show(validity.not_before.timestamp()),
        not_after: show(end),
        days_left: (end - now).div_euclid(86_400),
    })
}

fn make(dir: &Path, renew: bool) -> Result<Vec<PathBuf>, Error> {
    use std::os::unix::fs::DirBuilderExt;
    let in_dir = |source| Error::File {
        path: dir.to_owned(),
        source,
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(in_dir)?;
    // What a crash left behind may hold a key; earlier builds called it `ca.new` and `server.new`.
    for name in [CA, CA_KEY, SERVER, SERVER_KEY] {
        let path = dir.join(name);
        remove(&temporary(&path))?;
        remove(&path.with_extension("new"))?;
    }
    let mut made = Vec::new();
    let ca_path = dir.join(CA);
    if !ca_path.exists() {
        let key = KeyPair::generate()?;
        let certificate = ca_params().self_signed(&key)?;
        write(&dir.join(CA_KEY), &key.serialize_pem(), 0o600)?;
        write(&ca_path, &certificate.pem(), 0o644)?;
        made.push(ca_path.clone());
    }
    let server = dir.join(SERVER);
    let fresh = facts(&server).is_ok_and(|f| f.days_left >= RENEW_DAYS as i64) && dir.join(SERVER_KEY).exists();
    if renew || !fresh || !made.is_empty() {
        let ca_key = read(&dir.join(CA_KEY))?;
        let issuer = Issuer::from_ca_cert_pem(&read(&ca_path)?, KeyPair::from_pem(&ca_key)?)?;
        let key = KeyPair::generate()?;
        let certificate = server_params()?.signed_by(&key, &issuer)?;
        write(&dir.join(SERVER_KEY), &key.serialize_pem(), 0o600)?;
        write(&server, &certificate.pem(), 0o644)?;
        made.push(server);
    }
    Ok(made)
}

fn ca_params() -> CertificateParams {
    let mut p = CertificateParams::default();
    p.distinguished_name
        .push(DnType::CommonName, "Pointsman development CA");
    p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    p.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid_for(&mut p, CA_DAYS);
    p
}

fn server_params() -> Result<CertificateParams, Error> {
    let mut p = CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into(), "::1".into()])?;
    p.distinguished_name.push(DnType::CommonName, "localhost");
    p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    valid_for(&mut p, SERVER_DAYS);
    Ok(p)
}

fn valid_for(p: &mut CertificateParams, days: u64) {
    // An hour back, for clocks that differ a little.
    let now = SystemTime::now();
    p.not_before = (now - Duration::from_secs(3600)).into();
    p.not_after = (now + DAY * days as u32).into();
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), Error> {
    use std::os::unix::fs::OpenOptionsExt;
    let failed = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    let temporary = temporary(path);
    remove(&temporary)?;
    // Made new, because a mode given to `open` changes nothing about a file that is there already.
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&temporary)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&temporary, path).map_err(failed)?;
    let dir = path.parent().unwrap_or(Path::new("."));
    std::fs::File::open(dir).and_then(|d| d.sync_all()).map_err(failed)
}

/// Where a file is written before it takes its name: a place of its own for each, so that a key never meets what a
/// crash left of a certificate, which all may read.
fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Removes a file if it is there.
fn remove(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(Error::File {
            path: path.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn certificates_are_made_once_and_keys_are_private() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(init(dir.path()).unwrap().len(), 2);
        assert!(init(dir.path()).unwrap().is_empty());
        for key in [CA_KEY, SERVER_KEY] {
            let mode = std::fs::metadata(dir.path().join(key)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{key}");
        }
        let before = std::fs::read(dir.path().join(SERVER)).unwrap();
        let ca = std::fs::read(dir.path().join(CA)).unwrap();
        assert_eq!(renew(dir.path()).unwrap().len(), 1);
        assert_ne!(std::fs::read(dir.path().join(SERVER)).unwrap(), before);
        assert_eq!(std::fs::read(dir.path().join(CA)).unwrap(), ca);
        assert!(show(dir.path()).unwrap().iter().all(|f| f.days_left > 80));
    }

    #[test]
    fn what_a_crash_left_behind_neither_stays_nor_lends_a_key_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let left = ["server.new", "ca.new", "server.key.new", "server.pem.new", "ca.key.new"];
        for name in left {
            let path = dir.path().join(name);
            std::fs::write(&path, "half a file").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        }
        init(dir.path()).unwrap();
        let mut there: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        there.sort();
        assert_eq!(there, [CA_KEY, CA, SERVER_KEY, SERVER]);

        // And where one appears after the sweep.
        let key = dir.path().join(SERVER_KEY);
        std::fs::write(temporary(&key), "half a file, and longer than the new text").unwrap();
        write(&key, "new", 0o600).unwrap();
        assert_eq!(std::fs::read_to_string(&key).unwrap(), "new");
        assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
