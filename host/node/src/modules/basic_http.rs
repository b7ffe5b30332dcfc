//! The Basic HTTP Event I/O Processor (W3C SCXML C.2): where sessions are reached, and what they post to others.
//!
//! A session's location is a capability: `<server>/scxml/session/<id>/basichttp/<token>`, where the token is an HMAC of the id under
//! a secret of this node that outlives the process. Whoever is told the location may post to it; nobody can guess it. What one
//! session of a tenant posts to another's location does not go through the network, and is read as if it had.

use super::{Modules, lock, plain};
use crate::data::Data;
use cap_std::fs::OpenOptionsExt as _;
use hmac::{Hmac, Mac};
use pointsman_config::Config;
use pointsman_contract::{BASIC_HTTP_PROCESSOR, CommandId, Event, Send, SessionId};
use pointsman_session::core::basic_http::{self, Malformed};
use pointsman_session::runtime::Info;
use pointsman_web::http::{HeaderValue, Method, header};
use pointsman_web::{Request, Web};
use serde_json::json;
use sha2::Sha256;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

/// How long a peer may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of a peer's answer that are read. It says nothing but its status.
const MAX_ANSWER: usize = 64 << 10;

/// File of the node's secret, in its data folder.
const SECRET_FILE: &str = "locations.key";

/// Bytes of a token.
const TOKEN: usize = 16;

/// Where sessions are reached.
pub(crate) struct Locations {
    secret: [u8; 32],
    /// The REST port's own address, once it is bound.
    base: Mutex<Option<String>>,
}

impl Locations {
    /// With the node's secret, which is made when there is none.
    pub fn open(data: &Data) -> Result<Self, crate::Error> {
        let failed = |source| crate::Error::Path {
            what: "the secret of locations",
            path: data.path.join(SECRET_FILE),
            source,
        };
        let secret = match data.dir.read(SECRET_FILE) {
            Ok(bytes) => bytes.try_into().map_err(|_| {
                let why = "it is not 32 bytes: remove it, and a new one is made";
                failed(std::io::Error::other(why))
            })?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let secret = random().map_err(failed)?;
                let mut options = cap_std::fs::OpenOptions::new();
                options.write(true).create_new(true).mode(0o600);
                let file = data.dir.open_with(SECRET_FILE, &options);
                file.and_then(|mut f| f.write_all(&secret)).map_err(failed)?;
                secret
            }
            Err(e) => return Err(failed(e)),
        };
        Ok(Locations::new(secret))
    }

    fn new(secret: [u8; 32]) -> Self {
        Locations {
            secret,
            base: Mutex::default(),
        }
    }

    /// Tells it the REST port. An address that stands for all of a machine is told as the machine itself.
    pub fn bound(&self, address: SocketAddr) {
        let ip = match address.ip() {
            IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            other => other,
        };
        *lock(&self.base) = Some(format!("https://{}", SocketAddr::new(ip, address.port())));
    }

    fn bases(&self, config: &Config) -> Vec<String> {
        let external = config.application.orchestration.external_url.as_ref();
        let external = external.map(|url| url.to_string().trim_end_matches('/').to_owned());
        external.into_iter().chain(lock(&self.base).clone()).collect()
    }

    /// `_ioprocessors` of a session: none where there is no REST port.
    pub fn processors(&self, session: SessionId, config: &Config) -> Vec<(&'static str, String)> {
        let Some(base) = self.bases(config).into_iter().next() else {
            return Vec::new();
        };
        let at = format!("{base}/scxml/session/{session}/basichttp/{}", self.token(session));
        vec![(BASIC_HTTP_PROCESSOR, at.clone()), ("basichttp", at)]
    }

    fn mac(&self, session: SessionId) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes keys of any length");
        mac.update(b"location of session ");
        mac.update(session.as_str().as_bytes());
        mac
    }

    fn token(&self, session: SessionId) -> String {
        let mac = self.mac(session).finalize().into_bytes();
        mac[..TOKEN].iter().fold(String::new(), |mut out, byte| {
            let _infallible = write!(out, "{byte:02x}");
            out
        })
    }

    /// Is this the token of that session's location? In constant time.
    pub fn opens(&self, session: SessionId, token: &str) -> bool {
        let digits = token.as_bytes();
        let lower = digits.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b));
        if digits.len() != 2 * TOKEN || !lower {
            return false;
        }
        let bytes: Option<Vec<u8>> = digits
            .chunks(2)
            .map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok())
            .collect();
        bytes.is_some_and(|bytes| self.mac(session).verify_truncated_left(&bytes).is_ok())
    }

    /// The session that a location of this node is of, and what follows the server's address. `Err` for a location that is
    /// none; `Ok(None)` for what is elsewhere.
    fn read<'a>(&self, url: &'a str, config: &Config) -> Result<Option<(SessionId, &'a str)>, String> {
        let bases = self.bases(config);
        let Some(path) = bases.iter().find_map(|base| url.strip_prefix(base.as_str())) else {
            return Ok(None);
        };
        let Some((sid, rest)) = path
            .strip_prefix("/scxml/session/")
            .and_then(|p| p.split_once("/basichttp/"))
        else {
            return Ok(None);
        };
        let token = rest.split('?').next().unwrap_or_default();
        match sid.parse() {
            Ok(id) if self.opens(id, token) => Ok(Some((id, path))),
            _ => Err("there is no session at this location".into()),
        }
    }
}

fn random() -> std::io::Result<[u8; 32]> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|e| std::io::Error::other(e.to_string()))?;
    Ok(secret)
}

/// The event that a message of REST makes.
pub(crate) fn event(target: &str, content_type: Option<&str>, body: &str) -> Result<Event, Malformed> {
    basic_http::event("POST", target, content_type, body)
}

impl Modules {
    /// A `send` to somebody that the session runtime does not know.
    pub(super) fn post(&self, session: &Info, command: CommandId, send: &Send) -> Result<(), String> {
        let target = send.target.as_deref().unwrap_or_default();
        if !basic_http::is_basic_http(send.processor.as_deref()) {
            return Err(match &send.target {
                Some(target) => {
                    let target = pointsman_web::shown_text(target);
                    format!("nothing can be sent to `{}` from here", plain(&target))
                }
                None => "this I/O processor is not available".into(),
            });
        }
        let message = basic_http::message(send, target);
        if let Some((other, path)) = self.0.locations.read(&message.url, &self.0.config.load())? {
            let event = event(path, Some(message.content_type), &message.body).map_err(|e| e.to_string())?;
            let runtime = self.runtime()?;
            let same = runtime.get(other).is_ok_and(|o| o.info.tenant == session.tenant);
            if !same {
                return Err("there is no session at this location".into());
            }
            return runtime.send(other, event).map_err(|e| e.to_string());
        }
        let url = Web::url(&message.url, None).map_err(|e| e.to_string())?;
        if !self.0.outgoing.allowed(&session.tenant).allows(&url) {
            return Err(format!(
                "{} is not among the destinations that are allowed: add it to `allow` in the tenant's [tenant.http]",
                url.origin().ascii_serialization()
            ));
        }
        let mut request = Request {
            method: Method::POST,
            body: message.body.into(),
            timeout: TIMEOUT,
            max_body: MAX_ANSWER,
            ..Request::get(url)
        };
        let kind = HeaderValue::from_static(message.content_type);
        request.headers.insert(header::CONTENT_TYPE, kind);
        let (this, tenant, session, sendid) = (self.clone(), session.tenant.clone(), session.id, send.id.clone());
        let lost = {
            let (this, sendid) = (self.clone(), sendid.clone());
            move || this.not_sent(session, sendid, &super::lost().description)
        };
        let work = async move {
            let why = match this.0.outgoing.send(&tenant, request).await {
                Ok(answer) if (200..300).contains(&answer.status) => return,
                Ok(answer) => format!("the server answers {}", answer.status),
                Err(error) => error.to_string(),
            };
            this.not_sent(session, sendid, &why);
        };
        // A session may send and end: what it has sent is on its way.
        self.0.outstanding.begin(&self.0.tasks, command, false, work, lost)
    }

    fn not_sent(&self, session: SessionId, sendid: Option<String>, why: &str) {
        let event = |sendid| Event {
            sendid,
            ..Event::platform(
                "error.communication",
                Some(json!({ "message": plain(why) }).to_string()),
            )
        };
        let whole = event(sendid);
        let fits = super::too_large(&whole).is_none();
        self.tell(session, if fits { whole } else { event(None) });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_location_is_of_one_session_and_of_nobody_who_guesses() {
        let locations = Locations::new([7; 32]);
        let (one, other) = (SessionId::from_random([1; 20]), SessionId::from_random([2; 20]));
        let mut config = Config::embedded();
        assert!(locations.processors(one, &config).is_empty(), "no REST port");
        locations.bound("0.0.0.0:8443".parse().unwrap());
        let [(name, at), (short, same)] = &locations.processors(one, &config)[..] else {
            panic!("two names")
        };
        assert_eq!((*name, *short, at), (BASIC_HTTP_PROCESSOR, "basichttp", same));
        let token = locations.token(one);
        assert_eq!(
            at,
            &format!("https://127.0.0.1:8443/scxml/session/{one}/basichttp/{token}")
        );
        assert!(locations.opens(one, &token) && !locations.opens(other, &token));
        assert!(!Locations::new([8; 32]).opens(one, &token));
        for wrong in ["", &token[1..], &format!("{token}00"), &token.to_uppercase(), "zz"] {
            assert!(!locations.opens(one, wrong), "{wrong}");
        }
        let with_query = format!("{at}?x=1");
        let (id, path) = locations.read(&with_query, &config).unwrap().unwrap();
        assert_eq!(
            (id, path),
            (one, with_query.strip_prefix("https://127.0.0.1:8443").unwrap())
        );
        assert!(locations.read(&at.replace(&token, "0"), &config).is_err());
        assert_eq!(
            locations.read("https://elsewhere/scxml/session/x/basichttp/y", &config),
            Ok(None)
        );
        config.application.orchestration.external_url = None;
        assert!(locations.read(at, &config).unwrap().is_some());
    }

    #[test]
    fn the_secret_is_made_once_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let data = Data::open(folder.path()).unwrap();
        let one = SessionId::from_random([1; 20]);
        let token = Locations::open(&data).unwrap().token(one);
        assert_eq!(Locations::open(&data).unwrap().token(one), token);
        let mode = std::fs::metadata(folder.path().join(SECRET_FILE))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        std::fs::write(folder.path().join(SECRET_FILE), "short").unwrap();
        assert!(Locations::open(&data).is_err());
    }
}
