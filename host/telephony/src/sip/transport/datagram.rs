//! Reading datagrams.

use super::Inbound;
use crate::sip::message::{Limits, parse};
use crate::sip::options::Protocol;
use crate::sip::uas::{Channel, Source};
use bytes::Bytes;
use std::sync::Arc;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

/// Reads socket number `n` until the owner is gone.
pub(super) async fn read(n: usize, socket: Arc<UdpSocket>, limits: Limits, inbound: mpsc::Sender<Inbound>) {
    // One byte more than allowed tells a datagram that is too large from one that just fits.
    let mut buffer = vec![0; limits.message + 1];
    loop {
        let (length, peer) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(e) => {
                // A socket reports what became of datagrams sent earlier; reading goes on.
                tracing::debug!("datagram socket: {e}");
                tokio::task::yield_now().await;
                continue;
            }
        };
        let datagram = &buffer[..length];
        // Keep-alives are line ends, or a NUL or two (RFC 3261 has none; clients behind NAT send them).
        if datagram.iter().all(|b| b"\r\n\0".contains(b)) {
            continue;
        }
        let message = parse(&Bytes::copy_from_slice(datagram), &limits);
        let source = Source {
            protocol: Protocol::Udp,
            peer,
            channel: Channel::Socket(n),
        };
        if inbound.send(Inbound::Message(source, message)).await.is_err() {
            return;
        }
    }
}
