//! Reading datagrams.

use super::Inbound;
use crate::sip::message::{Limits, parse};
use crate::sip::options::Protocol;
use crate::sip::uas::{Channel, Source};
use bytes::Bytes;
use socket2::SockRef;
use std::sync::Arc;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

/// Receive buffer asked for, bytes: at 10,000 calls/s with three messages of 1 KiB each, what comes while the reader does not get to run for
/// 100 ms. The system's usual 208 KiB holds some 90 such messages, for it counts what it keeps around each of them.
pub(super) const RECEIVE_BUFFER: usize = 4 << 20;

/// Asks for [`RECEIVE_BUFFER`] and says how much was granted.
pub(super) fn enlarge(socket: &UdpSocket) -> std::io::Result<usize> {
    let socket = SockRef::from(socket);
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    let size = socket.recv_buffer_size()?;
    // Linux doubles what is asked for, for its own bookkeeping, and says the doubled size (socket(7), SO_RCVBUF).
    Ok(if cfg!(target_os = "linux") { size / 2 } else { size })
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_gets_the_receive_buffer_that_the_system_allows() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let granted = enlarge(&socket).unwrap();
        let allowed = std::fs::read_to_string("/proc/sys/net/core/rmem_max");
        let allowed = allowed.ok().and_then(|text| text.trim().parse::<usize>().ok());
        assert_eq!(granted, RECEIVE_BUFFER.min(allowed.unwrap_or(granted)));
    }
}
