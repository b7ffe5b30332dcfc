//! Cutting a byte stream into messages by Content-Length (RFC 3261 18.3).

use super::parse::{content_length, find_head_end, read_headers};
use super::{Limits, Malformed, Message, parse};
use bytes::{Buf, Bytes, BytesMut};

/// What a stream has for us.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A message.
    Message(Message),
    /// A double CRLF, to be answered with a single one (RFC 5626 3.5.1).
    Ping,
}

/// Collects bytes and hands out messages. Holds at most one message's limit and one read beyond it, as long as
/// [`Framer::next_frame`] is called until it has nothing after every read.
#[derive(Debug)]
pub struct Framer {
    buffer: BytesMut,
    limits: Limits,
    /// How much of the buffer is known to hold no end of a head, so that a message that trickles in costs linear time.
    searched: usize,
    /// Length of the message at the start of the buffer, once its head is complete.
    length: Option<usize>,
    lost: bool,
}

impl Framer {
    /// A framer for a new connection.
    pub fn new(limits: Limits) -> Self {
        Framer {
            buffer: BytesMut::new(),
            limits,
            searched: 0,
            length: None,
            lost: false,
        }
    }

    /// Where received bytes go.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Whether a message has begun and not ended. Line ends alone begin none.
    pub fn is_inside_message(&self) -> bool {
        !b"\r\n\r\n".starts_with(&self.buffer[..])
    }

    /// Whether the place where the next message begins cannot be told: the connection is of no use any more.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// The next message; none while it is not complete.
    pub fn next_frame(&mut self) -> Option<Result<Frame, Malformed>> {
        if self.lost {
            return None;
        }
        if self.length.is_none() {
            if self.buffer.starts_with(b"\r\n\r\n") {
                self.buffer.advance(4);
                return Some(Ok(Frame::Ping));
            }
            if b"\r\n\r\n".starts_with(&self.buffer[..]) {
                // Nothing, or what may become a ping.
                return None;
            }
            // A single CRLF before a start line means nothing (RFC 3261 7.5).
            if self.buffer.starts_with(b"\r\n") {
                self.buffer.advance(2);
                self.searched = 0;
                return self.next_frame();
            }
            let from = self.searched.saturating_sub(3);
            let Some(end) = find_head_end(&self.buffer[from..]).map(|at| from + at) else {
                self.searched = self.buffer.len();
                return (self.buffer.len() > self.limits.message).then(|| self.lose(self.buffer.len()));
            };
            match self.body_length(end) {
                Some(body) if body <= self.limits.message && end + 4 + body <= self.limits.message => {
                    self.length = Some(end + 4 + body);
                }
                _ => return Some(self.lose(end + 4)),
            }
        }
        let length = self.length.filter(|length| *length <= self.buffer.len())?;
        self.length = None;
        self.searched = 0;
        let bytes = self.buffer.split_to(length).freeze();
        Some(parse(&bytes, &self.limits).map(Frame::Message))
    }

    /// What the head that ends at `end` says: on a stream there must be one good Content-Length.
    fn body_length(&self, end: usize) -> Option<usize> {
        let head = String::from_utf8_lossy(&self.buffer[..end]);
        let (_, lines) = head.split_once("\r\n")?;
        content_length(&read_headers(lines, &self.limits).0).ok()?
    }

    /// Gives the stream up. The head is still read, so that the sender may be told.
    fn lose(&mut self, head: usize) -> Result<Frame, Malformed> {
        self.lost = true;
        let head: Bytes = self.buffer.split_to(head).freeze();
        self.buffer.clear();
        match parse(&head, &self.limits) {
            Err(malformed) => Err(malformed),
            Ok(Message::Response(_)) => Err(Malformed::unanswerable(400, "a response without a good Content-Length")),
            Ok(Message::Request(request)) => Err(Malformed {
                // With a good Content-Length the parser would have called the body too short; without one it takes none.
                status: 400,
                detail: "on a stream, a message has exactly one Content-Length".into(),
                request: Some(Box::new(request)),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        message: 300,
        headers: 20,
        header: 100,
    };

    fn request(n: usize, body: &str) -> String {
        format!(
            "OPTIONS sip:{n}@h SIP/2.0\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn uris(framer: &mut Framer) -> Vec<String> {
        std::iter::from_fn(|| framer.next_frame())
            .map(|frame| match frame {
                Ok(Frame::Message(Message::Request(request))) => {
                    format!("{} {}", request.uri, String::from_utf8_lossy(&request.body))
                }
                Ok(Frame::Ping) => "ping".into(),
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn glued_messages_and_keep_alives_come_out_one_by_one() {
        let mut framer = Framer::new(LIMITS);
        let text = format!(
            "{}\r\n\r\n{}\r\n{}",
            request(1, "ab"),
            request(2, ""),
            request(3, "\r\n\r\n")
        );
        framer.buffer().extend_from_slice(text.as_bytes());
        assert_eq!(
            uris(&mut framer),
            ["sip:1@h ab", "ping", "sip:2@h ", "sip:3@h \r\n\r\n"]
        );
        assert!(!framer.is_inside_message());
    }

    #[test]
    fn a_message_split_at_every_byte_comes_out_whole() {
        let mut framer = Framer::new(LIMITS);
        let text = format!("{}{}", request(1, "ab"), request(2, "c"));
        let mut seen = Vec::new();
        for byte in text.bytes() {
            framer.buffer().extend_from_slice(&[byte]);
            seen.extend(uris(&mut framer));
        }
        assert_eq!(seen, ["sip:1@h ab", "sip:2@h c"]);
    }

    #[test]
    fn without_one_good_content_length_the_stream_is_lost() {
        for fields in [
            "",
            "Content-Length: x\r\n",
            "l: 1\r\nContent-Length: 1\r\n",
            "l: -1\r\n",
            "l: 1000\r\n",
        ] {
            let mut framer = Framer::new(LIMITS);
            framer
                .buffer()
                .extend_from_slice(format!("OPTIONS sip:h SIP/2.0\r\n{fields}\r\n").as_bytes());
            let malformed = framer.next_frame().unwrap().unwrap_err();
            assert_eq!(malformed.status, 400, "{fields}");
            assert!(malformed.request.is_some() && framer.is_lost() && framer.next_frame().is_none());
        }
    }

    #[test]
    fn a_head_without_an_end_is_given_up_at_the_limit() {
        let mut framer = Framer::new(LIMITS);
        framer.buffer().extend_from_slice(b"OPTIONS sip:h SIP/2.0\r\n");
        while !framer.is_lost() {
            assert!(framer.buffer().len() <= LIMITS.message + 10);
            framer.buffer().extend_from_slice(b"a: bcde\r\n");
            let _ = framer.next_frame();
        }
    }
}
