//! Least-cost routing, as a strategy in Rust.
//!
//! A call that asks for a route is sent to the carriers that serve the dialled prefix, cheapest first; the switch
//! tries them in that order. The longest matching prefix wins; between carriers of the same price the choice is random,
//! so that load is spread, and the same when the call is replayed. A call to nowhere is refused with 404.
//!
//! Shows: typed events, the session's data as fields, several targets, refusal, the outcome event, `inspect`.

use pointsman_sdk::{export, Context, Event, Start, Strategy};
use serde_json::{json, Value};

/// Prefix, carrier, price in thousandths per minute.
const TARIFF: &[(&str, &str, u32)] = &[
    ("44", "carrier-a", 12),
    ("44", "carrier-b", 9),
    ("447", "carrier-b", 21),
    ("447", "carrier-c", 18),
    ("49", "carrier-a", 10),
    ("49", "carrier-c", 10),
    ("1", "carrier-a", 7),
];

#[derive(Default)]
struct LeastCost {
    carriers: Vec<&'static str>,
    outcome: Option<String>,
}

impl Strategy for LeastCost {
    fn start(_: &Start, _: &mut Context) -> Self {
        LeastCost::default()
    }

    fn handle(&mut self, event: &Event, cx: &mut Context) {
        if let Some(call) = event.route_request() {
            // The number behind the access code of this routing point, if user data carries one: the switch sends it in the
            // header X-Destination; what REST attaches may be written small.
            let attached = ["Destination", "destination"].iter().find_map(|key| call.udata.get(*key)?.as_str());
            let number = attached.unwrap_or(&call.dnis);
            self.carriers = carriers(number, cx);
            if self.carriers.is_empty() {
                cx.log(3, format!("no carrier serves {number}"));
                cx.reject(&call.interaction_id, 404);
            } else {
                let targets: Vec<String> = self.carriers.iter().map(|c| format!("{number}@{c}.example")).collect();
                cx.log(4, format!("{number} by {}", self.carriers.join(", ")));
                cx.redirect(&call.interaction_id, &targets.iter().map(String::as_str).collect::<Vec<_>>());
            }
            cx.state("routing");
        } else if event.is("interaction.redirect.done") || event.is("interaction.terminate.done") {
            self.outcome = Some("decided".into());
        } else if event.is("interaction.deleted") || event.is("interaction.abandoned") || event.is("error.interaction") {
            cx.finish(Some(json!({ "carriers": self.carriers, "last": event.name })));
        }
    }

    fn inspect(&self) -> Value {
        json!({ "carriers": self.carriers, "outcome": self.outcome })
    }
}

/// Carriers for a number: longest prefix, then price, ties in random order.
fn carriers(number: &str, cx: &mut Context) -> Vec<&'static str> {
    let digits = number.trim_start_matches(['+', '0']);
    let longest = TARIFF.iter().filter(|(p, ..)| digits.starts_with(p)).map(|(p, ..)| p.len()).max().unwrap_or(0);
    let mut offers: Vec<(u32, u32, &str)> = TARIFF
        .iter()
        .filter(|(p, ..)| p.len() == longest && longest > 0 && digits.starts_with(p))
        .map(|(_, carrier, price)| (*price, cx.random(1 << 16), *carrier))
        .collect();
    offers.sort_unstable();
    offers.into_iter().map(|(.., carrier)| carrier).collect()
}

export!(LeastCost);
