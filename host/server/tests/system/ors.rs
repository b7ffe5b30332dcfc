//! A project in the way of Genesys Composer, from its folder to a call.

use crate::calls::{Phone, wait_for_end};
use crate::node::{Node, Plan};

const MAIN: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<scxml xmlns="http://www.w3.org/2005/07/scxml" xmlns:xi="http://www.w3.org/2001/XInclude"
       xmlns:ixn="http://www.genesyslab.com/modules/interaction" version="1.0" profile="ecmascript" initial="Main._composer_entry">
  <script><xi:include href="../include/common.js" parse="text"/></script>
  <xi:include href="flow.scxml" parse="xml" resolveid="Main" xpointer="_composer_entry"/>
  <final id="over"/>
</scxml>"#;

const FLOW: &str = r#"<scxml xmlns="http://www.w3.org/2005/07/scxml" xmlns:ixn="http://www.genesyslab.com/modules/interaction"
       version="1.0" profile="ecmascript" initial="_composer_noboot">
  <state id="_composer_entry" initial="$$_MY_PREFIX_$$.Entry">
    <state id="Entry">
      <transition event="interaction.onrouterequest" target="$$_MY_PREFIX_$$.Attach">
        <script>var App_Ani = callerOf(_genesys.ixn.interactions[_genesys.ixn.firstixnid]);</script>
      </transition>
    </state>
    <state id="Attach">
      <onentry>
        <script>_genesys.ixn.setuData({ Tier: _genesys.session.getListItemValue('VIP', App_Ani, 'tier') }, _genesys.ixn.firstixnid);</script>
        <send event="'late'" delay="'20s'" sendid="patience"/>
      </onentry>
      <transition event="interaction.udata.changed" target="$$_MY_PREFIX_$$.Stop"/>
    </state>
    <state id="Stop">
      <onentry><cancel sendid="'patience'"/></onentry>
      <transition event="cancel.successful" target="$$_MY_PREFIX_$$.Route"/>
      <transition event="error.notallowed" target="over"/>
    </state>
    <state id="Route">
      <onentry>
        <log expr="_my_prefix + ' ' + _genesys.ixn.interactions[0].udata.toSource() + ' ' + _genesys.session.tenant"/>
        <ixn:redirect interactionid="_genesys.ixn.firstixnid" to="_genesys.session.getListItemValue('VIP', App_Ani, 'target')"
                      type="_genesys.queue.rType.RouteTypeUnknown"/>
      </onentry>
      <transition event="interaction.redirect.done error.interaction.redirect" target="over"/>
    </state>
  </state>
</scxml>"#;

#[test]
fn a_project_of_composer_is_deployed_from_its_folder_and_routes_a_call_by_a_list() {
    let plan = Plan::new();
    let folder = plan.dir.path().join("project");
    for (name, text) in [
        ("src-gen/main.scxml", MAIN),
        ("src-gen/flow.scxml", FLOW),
        ("include/common.js", "function callerOf(ixn) { return ixn.voice.ani; }"),
    ] {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let list =
        "[[list]]\nname = \"VIP\"\ntenant = \"acme\"\n[list.items.5551001]\ntier = \"gold\"\ntarget = \"2777\"\n";
    let config = plan.config() + list;
    let node = Node::start_with_config(plan, &config);
    let main = folder.join("src-gen/main.scxml");
    let (root, main) = (folder.to_str().unwrap(), main.to_str().unwrap());

    let outside = node.pointsman(&["deploy", main, "--tenant", "acme", "--name", "by-caller"]);
    assert_eq!(outside.code, Some(1), "{outside:?}");
    assert!(outside.err.contains("--root"), "{outside:?}");
    let checked = node.pointsman(&["check", "--root", root, main]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let deployed = node.pointsman(&[
        "deploy",
        "--root",
        root,
        main,
        "--tenant",
        "acme",
        "--name",
        "by-caller",
    ]);
    assert_eq!(deployed.code, Some(0), "{deployed:?}");

    assert_eq!(Phone::target(&node, "7001", "composer"), "2777");
    let session = wait_for_end(&node);
    assert_eq!(session["end"]["outcome"], "done", "{session}");
    let log = node.get(&format!("/v1/sessions/{}/log", session["id"].as_str().unwrap()));
    assert_eq!(log["items"][0]["text"], "Main ({Tier:\"gold\"}) acme", "{log}");
    // What was uploaded can be had again, under the names of the project.
    let copy = node.dir.path().join("copy");
    let out = copy.to_str().unwrap();
    let source = node.pointsman(&["strategies", "source", "by-caller", "--tenant", "acme", "--output", out]);
    assert_eq!(source.code, Some(0), "{source:?}");
    for name in ["src-gen/main.scxml", "src-gen/flow.scxml", "include/common.js"] {
        let read = |folder: &std::path::Path| std::fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!(read(&copy), read(&folder), "{name}");
    }
}
