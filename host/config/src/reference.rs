//! The reference of all options, made from their declarations.

use crate::objects::api_key::ApiKey;
use crate::objects::application::{Application, Connection, Log, Orchestration, Port, Sandbox, Scxml};
use crate::objects::dn::{Dn, DnOrchestration};
use crate::objects::list::List;
use crate::objects::script::{Script, ScriptApplication};
use crate::objects::switch::{SipOptions, Switch};
use crate::objects::tenant::{Tenant, TenantHttp};
use crate::setting::OptionDoc;

/// Every option, in the order of the tables.
pub fn reference() -> Vec<OptionDoc> {
    [
        Application::docs(),
        Port::docs(),
        Connection::docs(),
        Orchestration::docs(),
        Scxml::docs(),
        Sandbox::docs(),
        Log::docs(),
        Tenant::docs(),
        TenantHttp::docs(),
        Switch::docs(),
        SipOptions::docs(),
        Dn::docs(),
        DnOrchestration::docs(),
        Script::docs(),
        ScriptApplication::docs(),
        List::docs(),
        ApiKey::docs(),
    ]
    .concat()
}
