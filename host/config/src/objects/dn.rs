//! DNs: the numbers that callers reach, and which application each of them runs.

use crate::application_ref::ApplicationRef;
use crate::names::{DnNumber, Milliseconds, SwitchName};
use crate::setting::{choices, options};

choices! {
    /// What a DN is.
    DnType, "a type of DN" {
        /// A routing point: a call waits here until a strategy says where it goes.
        "routing-point" => RoutingPoint,
    }
}

options! {
    /// A DN.
    object Dn at "[[dn]]" {
        /// The number.
        "number" number: DnNumber, required, Immediate, Ors("DN number");
        /// The switch that it belongs to, and through it the tenant.
        "switch" switch: SwitchName, required, Immediate, Ors("DN, Switch");
        /// What it is: `routing-point`.
        "type" dn_type: DnType, required, Immediate, Ors("DN type");
        /// Where a call goes when no strategy decides in time or none can be started: these numbers, in this order. None:
        /// the call is turned away.
        "default-dn" default_dn: Vec<DnNumber>, default(Vec::new()), Immediate, Ors("DN, Default DNs");
        /// How long its strategy may take to decide; the switch's `decision-timeout-ms` when left out.
        "decision-timeout-ms" decision_timeout: Option<Milliseconds>, optional from 100 to 86_400_000
            unit "milliseconds", Immediate, Pointsman;
        /// The section `Orchestration`.
        "Orchestration" orchestration: DnOrchestration, required, Immediate, Ors("DN section [Orchestration]");
    }
    known as |dn| format!("{}@{}", dn.number, dn.switch)
}

options! {
    /// A DN's section `Orchestration`.
    object DnOrchestration at "[dn.Orchestration]" {
        /// The application that handles its calls: `strategy:NAME`, `strategy:NAME@VERSION`, `script:NAME`, `file:PATH`,
        /// `http(s)://...`, or two of them separated by one space, the second an alternate.
        "application" application: ApplicationRef, required, Immediate, Ors("Orchestration/application");
    }
    not yet ["application@*"]
}
