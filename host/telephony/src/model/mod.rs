//! The neutral telephony model: objects, events and requests shared by all links.
//!
//! All of it is serialisable, so the same types are what an out-of-process adapter speaks as JSON. Events are numbered
//! by the link ([`Event::seq`]) within an [`Epoch`], which changes whenever the link starts or reconnects: a gap, or a new epoch,
//! tells the host that it may have missed something. Requests carry an id chosen by the host ([`RequestId`]); a link
//! that sees an id again answers as it did the first time and does nothing, so a request may be repeated after a
//! failure without routing a call twice.

mod call;
mod capabilities;
mod event;
mod ids;
mod request;
mod user_data;

pub use call::{Call, CallType};
pub use capabilities::{Capabilities, Capability};
pub use event::{Event, EventKind, ReleaseCause, RequestFailure, RouteFailure};
pub use ids::{CallId, CallUuid, ConnId, Dn, Epoch, InvalidId, LinkId, RequestId, Seq, SwitchName};
pub use request::{Request, RequestKind, RouteType, Target};
pub use user_data::{MAX_USER_DATA, MAX_USER_DATA_DEPTH, UserData, UserDataError, Value};
