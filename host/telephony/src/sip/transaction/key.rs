//! How a request finds its transaction (RFC 3261 17.2.3).

use crate::sip::message::{Essentials, HeaderName, HostPort, Method, Request};

/// What identifies a server transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// The sender's branch begins with the magic cookie.
    Branch {
        /// The branch, whole.
        branch: String,
        /// Via's sent-by: two clients may choose the same branch.
        sent_by: HostPort,
        /// The method that created the transaction.
        method: Method,
    },
    /// An RFC 2543 sender: the fields that a retransmission repeats.
    Legacy(Box<Legacy>),
}

/// See [`Key::Legacy`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Legacy {
    uri: String,
    from_tag: Option<String>,
    to_tag: Option<String>,
    call_id: String,
    cseq: u32,
    via: String,
    method: Method,
}

/// The keys under which a request's transaction may be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matching {
    /// Where to look, and under which to create a transaction.
    pub key: Key,
    /// Where to look next: an RFC 2543 ACK carries the To tag of our response, which its INVITE need not have had. Such
    /// a transaction matches only if that tag is ours.
    pub untagged: Option<Key>,
}

impl Matching {
    /// The keys of the transaction that `request` itself makes, or, when it is an ACK, that it acknowledges.
    pub fn of(request: &Request, essentials: &Essentials) -> Matching {
        let method = if request.method == Method::Ack {
            Method::Invite
        } else {
            request.method.clone()
        };
        Matching::with_method(request, essentials, method)
    }

    /// The keys of the INVITE transaction that a CANCEL is about (RFC 3261 9.2).
    pub fn cancelled(request: &Request, essentials: &Essentials) -> Matching {
        Matching::with_method(request, essentials, Method::Invite)
    }

    fn with_method(request: &Request, essentials: &Essentials, method: Method) -> Matching {
        if let Some(branch) = essentials.via.transaction_id() {
            let sent_by = essentials.via.sent_by.clone();
            let key = Key::Branch {
                branch: branch.to_ascii_lowercase(),
                sent_by,
                method,
            };
            return Matching { key, untagged: None };
        }
        let legacy = Legacy {
            uri: request.uri.clone(),
            from_tag: essentials.from.tag().map(Into::into),
            to_tag: essentials.to.tag().map(Into::into),
            call_id: essentials.call_id.clone(),
            cseq: essentials.cseq.number,
            via: request.headers.list(&HeaderName::Via).next().unwrap_or_default().into(),
            method,
        };
        let untagged = (request.method == Method::Ack && legacy.to_tag.is_some()).then(|| {
            Key::Legacy(Box::new(Legacy {
                to_tag: None,
                ..legacy.clone()
            }))
        });
        Matching {
            key: Key::Legacy(Box::new(legacy)),
            untagged,
        }
    }
}
