//! The state machine of one server transaction.

use bytes::Bytes;
use std::time::Duration;

/// The base values of RFC 3261 17.1.1.1 and table 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Estimate of the round trip.
    pub t1: Duration,
    /// Longest interval between retransmissions.
    pub t2: Duration,
    /// Longest time that a message stays in the network.
    pub t4: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Timers {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
        }
    }
}

/// Timers of server transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// Retransmit a final response to INVITE.
    G,
    /// Give up waiting for the ACK.
    H,
    /// Stop absorbing repeated ACKs.
    I,
    /// Stop absorbing repeated requests.
    J,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The request came again.
    Retransmission,
    /// The user agent server responds. At most one response of 200 and above is sent; later responses are ignored.
    Respond(u16, Bytes),
    /// An ACK came.
    Ack,
    /// A timer fired.
    Fired(Timer),
    /// A response could not be sent (RFC 3261 17.2.4).
    TransportFailed,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a response.
    Send(Bytes),
    /// Start a timer. Timers are never stopped: in a state that does not wait for them they do nothing.
    Start(Timer, Duration),
    /// The final response to an INVITE arrived: its ACK came.
    Acknowledged,
    /// It is not known whether the final response to an INVITE arrived: timer H fired.
    TimedOut,
    /// The final response was not sent: the transport failed.
    Failed,
    /// The transaction is over: forget it.
    Terminated,
}

/// States of both machines. INVITE transactions are never `Trying`, others never `Confirmed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not INVITE: nothing sent.
    Trying,
    /// No final response sent.
    Proceeding,
    /// A final response was sent.
    Completed,
    /// INVITE: the final response was acknowledged.
    Confirmed,
    /// Over.
    Terminated,
}

/// One server transaction.
#[derive(Clone, Debug)]
pub struct Server {
    invite: bool,
    reliable: bool,
    timers: Timers,
    state: State,
    /// The last response, to be repeated. Dropped when there is nobody to repeat it to.
    last: Option<Bytes>,
    /// The next interval of timer G.
    interval: Duration,
}

impl Server {
    /// A transaction for a request that just came; `reliable` tells TCP and TLS from UDP.
    pub fn new(invite: bool, reliable: bool, timers: Timers) -> Self {
        let state = if invite { State::Proceeding } else { State::Trying };
        Server {
            invite,
            reliable,
            timers,
            state,
            last: None,
            interval: timers.t1,
        }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether a final response has still to be given.
    pub fn is_undecided(&self) -> bool {
        matches!(self.state, State::Trying | State::Proceeding)
    }

    /// Takes an input and adds what is to be done to `out`.
    pub fn handle(&mut self, input: Input, out: &mut Vec<Output>) {
        match (self.state, input) {
            (State::Trying | State::Proceeding, Input::Respond(status, response)) => {
                out.push(Output::Send(response.clone()));
                self.last = Some(response);
                if status < 200 {
                    self.state = State::Proceeding;
                } else if self.invite {
                    self.complete_invite(out);
                } else {
                    self.complete_other(out);
                }
            }
            (State::Proceeding | State::Completed, Input::Retransmission) => {
                out.extend(self.last.clone().map(Output::Send));
            }
            (State::Completed, Input::Ack) if self.invite => {
                self.state = State::Confirmed;
                self.last = None;
                out.push(Output::Acknowledged);
                if self.reliable {
                    self.terminate(out);
                } else {
                    out.push(Output::Start(Timer::I, self.timers.t4));
                }
            }
            (State::Completed, Input::Fired(Timer::G)) if !self.reliable => {
                out.extend(self.last.clone().map(Output::Send));
                self.interval = (2 * self.interval).min(self.timers.t2);
                out.push(Output::Start(Timer::G, self.interval));
            }
            (State::Completed, Input::Fired(Timer::H)) => {
                out.push(Output::TimedOut);
                self.terminate(out);
            }
            (State::Confirmed, Input::Fired(Timer::I)) | (State::Completed, Input::Fired(Timer::J)) => {
                self.terminate(out);
            }
            (State::Completed, Input::TransportFailed) => {
                out.push(Output::Failed);
                self.terminate(out);
            }
            // A provisional response that is lost is no loss, and the rest has no meaning in its state.
            _ => {}
        }
    }

    fn complete_invite(&mut self, out: &mut Vec<Output>) {
        self.state = State::Completed;
        if !self.reliable {
            out.push(Output::Start(Timer::G, self.timers.t1));
        }
        out.push(Output::Start(Timer::H, 64 * self.timers.t1));
    }

    fn complete_other(&mut self, out: &mut Vec<Output>) {
        self.state = State::Completed;
        if self.reliable {
            self.terminate(out);
        } else {
            out.push(Output::Start(Timer::J, 64 * self.timers.t1));
        }
    }

    fn terminate(&mut self, out: &mut Vec<Output>) {
        self.state = State::Terminated;
        self.last = None;
        out.push(Output::Terminated);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Timers = Timers {
        t1: Duration::from_millis(500),
        t2: Duration::from_millis(4000),
        t4: Duration::from_millis(5000),
    };

    fn feed(server: &mut Server, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        server.handle(input, &mut out);
        out
    }

    fn respond(status: u16) -> Input {
        Input::Respond(status, status.to_string().into())
    }

    fn send(status: u16) -> Output {
        Output::Send(status.to_string().into())
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn invite_over_udp_repeats_its_final_response_until_the_ack() {
        let mut server = Server::new(true, false, T);
        assert_eq!(feed(&mut server, Input::Retransmission), []);
        assert_eq!(feed(&mut server, respond(100)), [send(100)]);
        assert_eq!(feed(&mut server, Input::Retransmission), [send(100)]);
        assert_eq!(feed(&mut server, respond(182)), [send(182)]);
        assert_eq!(feed(&mut server, Input::Retransmission), [send(182)]);
        assert_eq!(
            feed(&mut server, respond(302)),
            [
                send(302),
                Output::Start(Timer::G, ms(500)),
                Output::Start(Timer::H, ms(32_000))
            ]
        );
        for next in [1000, 2000, 4000, 4000, 4000] {
            assert_eq!(
                feed(&mut server, Input::Fired(Timer::G)),
                [send(302), Output::Start(Timer::G, ms(next))]
            );
        }
        assert_eq!(feed(&mut server, Input::Retransmission), [send(302)]);
        assert_eq!(feed(&mut server, respond(486)), [], "there is only one final response");
        assert_eq!(
            feed(&mut server, Input::Ack),
            [Output::Acknowledged, Output::Start(Timer::I, ms(5000))]
        );
        for late in [
            Input::Ack,
            Input::Retransmission,
            Input::Fired(Timer::G),
            Input::Fired(Timer::H),
            respond(302),
        ] {
            assert_eq!(feed(&mut server, late), []);
        }
        assert_eq!(feed(&mut server, Input::Fired(Timer::I)), [Output::Terminated]);
        assert_eq!(server.state(), State::Terminated);
    }

    #[test]
    fn invite_over_udp_gives_up_without_an_ack_at_timer_h() {
        let mut server = Server::new(true, false, T);
        feed(&mut server, respond(302));
        assert_eq!(
            feed(&mut server, Input::Fired(Timer::H)),
            [Output::TimedOut, Output::Terminated]
        );
        assert_eq!(feed(&mut server, Input::Fired(Timer::G)), []);
    }

    #[test]
    fn invite_over_tcp_does_not_repeat_and_ends_with_the_ack() {
        let mut server = Server::new(true, true, T);
        feed(&mut server, respond(100));
        assert_eq!(
            feed(&mut server, respond(404)),
            [send(404), Output::Start(Timer::H, ms(32_000))]
        );
        assert_eq!(feed(&mut server, Input::Fired(Timer::G)), []);
        assert_eq!(
            feed(&mut server, Input::Ack),
            [Output::Acknowledged, Output::Terminated]
        );
    }

    #[test]
    fn other_requests_over_udp_repeat_their_response_until_timer_j() {
        let mut server = Server::new(false, false, T);
        assert_eq!(feed(&mut server, Input::Retransmission), []);
        assert_eq!(
            feed(&mut server, respond(200)),
            [send(200), Output::Start(Timer::J, ms(32_000))]
        );
        assert_eq!(feed(&mut server, Input::Retransmission), [send(200)]);
        assert_eq!(feed(&mut server, Input::Ack), []);
        assert_eq!(feed(&mut server, Input::Fired(Timer::J)), [Output::Terminated]);
    }

    #[test]
    fn other_requests_over_tcp_end_with_their_response() {
        let mut server = Server::new(false, true, T);
        assert_eq!(feed(&mut server, respond(481)), [send(481), Output::Terminated]);
    }

    #[test]
    fn a_transport_failure_ends_a_completed_transaction_and_no_other() {
        let mut server = Server::new(true, true, T);
        feed(&mut server, respond(182));
        assert_eq!(feed(&mut server, Input::TransportFailed), []);
        feed(&mut server, respond(302));
        assert_eq!(
            feed(&mut server, Input::TransportFailed),
            [Output::Failed, Output::Terminated]
        );
    }
}
