//! A routing point that sends every call of DN 7000 to 7042, for trying the link by hand:
//!
//! ```text
//! cargo run --release -p pointsman-telephony --example redirect -- 127.0.0.1:15060
//! sipp -sn uac ...  # with a scenario that takes a 302
//! ```

use pointsman_telephony::model::{Dn, EventKind, Request, RequestKind, RouteType, UserData};
use pointsman_telephony::sip::{Bind, DnTable, Link, Options, Protocol, RoutingPoint};
use tokio::sync::mpsc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args()
        .nth(1)
        .ok_or("name the address to listen on, such as 127.0.0.1:15060")?
        .parse()?;
    let bind = [Protocol::Udp, Protocol::Tcp]
        .map(|protocol| Bind { protocol, address })
        .to_vec();
    let mut dns = DnTable::new();
    dns.add(RoutingPoint::new(Dn::new("7000", "local")));
    // Three events a call: room for a burst of some thousand calls. While it is full, calls are refused with 503.
    let (sender, mut events) = mpsc::channel(16_384);
    let (link, handle) = Link::bind(
        Options {
            bind,
            ..Options::default()
        },
        dns,
        None,
        sender,
    )
    .await?;
    let running = tokio::spawn(link.run(async {
        if let Err(e) = tokio::signal::ctrl_c().await {
            tracing::warn!("no signal can be heard: {e}");
        }
    }));
    while let Some(event) = events.recv().await {
        if let EventKind::RouteRequest { call } = event.kind {
            let kind = RequestKind::RouteCall {
                targets: vec!["7042".parse()?],
                route_type: RouteType::Unknown,
                user_data: UserData::new(),
            };
            let request_id = format!("{}.{}", event.epoch.0, event.seq.0).into();
            handle
                .request(Request {
                    request_id,
                    call_uuid: call.call_uuid,
                    deadline_ms: None,
                    kind,
                })
                .await?;
        }
    }
    running.await??;
    Ok(())
}
