//! The `_` attributes of ORS on `scxml` and on states.

use super::Reader;
use crate::diagnostic::{Severity, quoted};
use crate::model::{ApplicationType, Settings, StatePersist, StateSettings, TransitionStyle};
use crate::suggest::list;
use crate::xml::{Attribute, Element};

const BOOLEANS: [(&str, bool); 2] = [("true", true), ("false", false)];

const APPLICATIONS: [(&str, ApplicationType); 4] = [
    ("combination", ApplicationType::Combination),
    ("routingstrategy", ApplicationType::RoutingStrategy),
    ("interactionprocess", ApplicationType::InteractionProcess),
    ("serviceprocess", ApplicationType::ServiceProcess),
];

const STYLES: [(&str, TransitionStyle); 2] = [
    ("legacy", TransitionStyle::Legacy),
    ("canonical", TransitionStyle::Canonical),
];

const PERSIST: [(&str, StatePersist); 5] = [
    ("may", StatePersist::May),
    ("must", StatePersist::Must),
    ("never", StatePersist::Never),
    ("true", StatePersist::Must),
    ("false", StatePersist::Never),
];

impl Reader<'_> {
    pub(super) fn settings(&mut self, root: &Element) -> Settings {
        self.exclusive(root, &["_filterEvents", "_filterEvent"]);
        let filter_events = ["_filterEvents", "_filterEvent"].map(|name| self.word(root, name, &BOOLEANS));
        let zero_is_none = root.attribute("_maxtime").is_some_and(|time| time.value.trim() == "0");
        Settings {
            application: self.word(root, "_type", &APPLICATIONS).unwrap_or_default(),
            persist: self.word(root, "_persist", &BOOLEANS).unwrap_or(true),
            send_session_recovered: self.word(root, "_sendSessionRecovered", &BOOLEANS).unwrap_or(false),
            max_time_s: if zero_is_none {
                None
            } else {
                self.number(root, "_maxtime", "seconds")
            },
            debug: self.word(root, "_debug", &BOOLEANS).unwrap_or(false),
            microstep_limit: self.number(root, "_microStepLimit", "microsteps"),
            state_entry_limit: self.number(root, "_stateEntryLimit", "entries"),
            event_limit: self.number(root, "_eventLimit", "events"),
            process_event_timeout_ms: self.number(root, "_processEventTimeout", "milliseconds"),
            transition_style: self.word(root, "_transitionStyle", &STYLES).unwrap_or_default(),
            filter_events: filter_events.into_iter().flatten().any(|given| given),
        }
    }

    pub(super) fn state_settings(&mut self, element: &Element) -> StateSettings {
        StateSettings {
            kind: element.attribute("_type").map(|attribute| attribute.value.clone()),
            persist: self.word(element, "_persist", &PERSIST).unwrap_or_default(),
            report_time: self.word(element, "_es_store", &BOOLEANS).unwrap_or(false),
            deactivate: self.word(element, "_deactivate", &BOOLEANS),
        }
    }

    /// One of a few words, in upper or lower case.
    fn word<T: Copy>(&mut self, element: &Element, name: &str, values: &[(&str, T)]) -> Option<T> {
        let attribute = element.attribute(name)?;
        let given = attribute.value.trim();
        if let Some(&(_, value)) = values.iter().find(|(word, _)| word.eq_ignore_ascii_case(given)) {
            return Some(value);
        }
        let words: Vec<&str> = values.iter().map(|(word, _)| *word).collect();
        let hint = self
            .suggest(Severity::Error, given, words.iter().copied())
            .unwrap_or_else(|| format!("write {}", list(&words)));
        self.invalid(attribute, hint);
        None
    }

    /// A whole number from 1.
    fn number(&mut self, element: &Element, name: &str, unit: &str) -> Option<u32> {
        let attribute = element.attribute(name)?;
        let number = attribute.value.trim().parse().ok().filter(|&number| number > 0);
        if number.is_none() {
            self.invalid(attribute, format!("write a whole number of {unit}, 1 to {}", u32::MAX));
        }
        number
    }

    fn invalid(&mut self, attribute: &Attribute, hint: String) {
        let message = format!("{} is not a value of `{}`", quoted(&attribute.value), attribute.name);
        self.error("invalid-value", attribute.span, message, Some(hint));
    }
}
