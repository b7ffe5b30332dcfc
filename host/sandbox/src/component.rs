//! The split component: the text around an image.
//!
//! No tool emits a component that imports its code as a core module, so its text is written here once, and compiled
//! by the `wat` crate once per engine build with an empty module where the image goes. A strategy's component is then
//! `prefix ++ image ++ suffix ++ custom sections`: taking one apart is a comparison of bytes, and what is between
//! must be an image. The types mirror `wit/strategy.wit`; a test loads this form and the stand-alone form, which
//! wit-component makes from the WIT itself, through the same generated bindings, so the two cannot drift apart.
//!
//! One knot: E needs `read`, whose lowering needs an allocator for its answer, which would live in E. The module
//! `ret` cuts it: it gives out a fixed buffer of E's. One answer per call, at most 32 KiB.

use crate::error::Error;

/// The contract this host speaks.
pub const CONTRACT: &str = "pointsman:strategy@0.1.0";

/// The contract's interfaces, as components import them.
pub const INTERFACES: &[&str] = &["pointsman:strategy/types@0.1.0", "pointsman:strategy/host@0.1.0"];

fn text(pages: u64) -> String {
    format!(
        r#"(component
  (import "engine" (core module $E
    (import "s" "memory" (memory {pages}))
    (import "pointsman:strategy/host@0.1.0" "read" (func (param i32 i32 i32 i32 i32)))
    (export "start" (func (param i64 i64 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (export "cabi_post_start" (func (param i32)))
    (export "handle" (func (param i32) (result i32)))
    (export "cabi_post_handle" (func (param i32)))
    (export "inspect" (func (result i32)))
    (export "cabi_post_inspect" (func (param i32)))
    (export "view" (func (result i32)))
    (export "cabi_realloc" (func (param i32 i32 i32 i32) (result i32)))))
  (import "ret" (core module $Ret
    (import "s" "memory" (memory {pages}))
    (export "realloc" (func (param i32 i32 i32 i32) (result i32)))))
  (import "pointsman:strategy/types@0.1.0" (instance $types
    (type $moment' (record (field "now-ms" u64) (field "seed" u64) (field "trace" bool)))
    (export "moment" (type $moment (eq $moment')))
    (type $start-info' (record (field "session-id" string) (field "params" string) (field "io-processors" string)))
    (export "start-info" (type $start-info (eq $start-info')))
    (type $event-kind' (enum "platform" "internal" "external"))
    (export "event-kind" (type $event-kind (eq $event-kind')))
    (type $optional (option string))
    (type $event' (record (field "name" string) (field "kind" $event-kind) (field "data" $optional) (field "xml" bool)
      (field "sendid" $optional) (field "origin" $optional) (field "origintype" $optional) (field "invokeid" $optional)
      (field "raw" $optional)))
    (export "event" (type $event (eq $event')))
    (type $send' (record (field "id" $optional) (field "event" string) (field "target" $optional)
      (field "processor" $optional) (field "data" $optional) (field "xml" bool) (field "delay-ms" u64)))
    (export "send" (type $send (eq $send')))
    (type $cancel' (record (field "sendid" string) (field "report" bool)))
    (export "cancel" (type $cancel (eq $cancel')))
    (type $request' (record (field "module" string) (field "action" string) (field "id" string) (field "params" string)))
    (export "request" (type $request (eq $request')))
    (type $invoke' (record (field "id" string) (field "processor" $optional) (field "src" $optional)
      (field "content" $optional) (field "params" string) (field "autoforward" bool)))
    (export "invoke" (type $invoke (eq $invoke')))
    (type $command' (variant (case "send" $send) (case "cancel" $cancel) (case "raise" $event)
      (case "request" $request) (case "invoke" $invoke) (case "cancel-invoke" string)))
    (export "command" (type $command (eq $command')))
    (type $log-entry' (record (field "label" $optional) (field "text" string) (field "level" u8)))
    (export "log-entry" (type $log-entry (eq $log-entry')))
    (type $trace-entry' (variant (case "event" string) (case "transition" string) (case "entered" string)
      (case "left" string) (case "failed" string)))
    (export "trace-entry" (type $trace-entry (eq $trace-entry')))
    (type $done' (record (field "data" $optional)))
    (export "done" (type $done (eq $done')))
    (type $commands (list $command))
    (type $entries (list $log-entry))
    (type $texts (list string))
    (type $active (option $texts))
    (type $maybe-done (option $done))
    (type $traces (list $trace-entry))
    (type $step' (record (field "commands" $commands) (field "log" $entries) (field "active" $active)
      (field "done" $maybe-done) (field "trace" $traces)))
    (export "step" (type $step (eq $step')))
    (type $failure' (record (field "code" string) (field "message" string)))
    (export "failure" (type $failure (eq $failure')))
    (type $inspection' (record (field "configuration" $texts) (field "datamodel" string)))
    (export "inspection" (type $inspection (eq $inspection')))))
  (alias export $types "moment" (type $moment))
  (alias export $types "start-info" (type $start-info))
  (alias export $types "event" (type $event))
  (alias export $types "step" (type $step))
  (alias export $types "failure" (type $failure))
  (alias export $types "inspection" (type $inspection))
  (import "pointsman:strategy/host@0.1.0" (instance $host
    (export "read" (func (param "source" string) (param "key" string) (result (result string (error string)))))))
  (core module $S (memory (export "memory") {pages})) ;; the image goes here
  (core instance $s (instantiate $S))
  (core instance $ret (instantiate $Ret (with "s" (instance $s))))
  (alias export $host "read" (func $read))
  (core func $read-low (canon lower (func $read) (memory $s "memory") (realloc (func $ret "realloc"))))
  (core instance $imports (export "read" (func $read-low)))
  (core instance $e (instantiate $E (with "s" (instance $s)) (with "pointsman:strategy/host@0.1.0" (instance $imports))))
  (type $outcome (result $step (error $failure)))
  (func (export "start") (param "moment" $moment) (param "info" $start-info) (result $outcome)
    (canon lift (core func $e "start") (memory $s "memory") (realloc (func $e "cabi_realloc")) (post-return (func $e "cabi_post_start"))))
  (func (export "handle") (param "moment" $moment) (param "event" $event) (result $outcome)
    (canon lift (core func $e "handle") (memory $s "memory") (realloc (func $e "cabi_realloc")) (post-return (func $e "cabi_post_handle"))))
  (func (export "inspect") (result $inspection)
    (canon lift (core func $e "inspect") (memory $s "memory") (realloc (func $e "cabi_realloc")) (post-return (func $e "cabi_post_inspect"))))
  (func (export "view") (result (list u8))
    (canon lift (core func $e "view") (memory $s "memory"))))
"#
    )
}

/// The module that gives out E's answer buffer.
pub fn ret_module(pages: u64, address: u32) -> Result<Vec<u8>, Error> {
    let capacity = pointsman_contract::MAX_READ_ANSWER;
    wat::parse_str(format!(
        r#"(module (import "s" "memory" (memory {pages})) (func (export "realloc") (param i32 i32 i32 i32) (result i32)
             (if (i32.gt_u (local.get 3) (i32.const {capacity})) (then unreachable)) (i32.const {address})))"#
    ))
    .map_err(|e| Error::Engine(e.to_string()))
}

/// What stands around an image, for one engine build.
pub struct Frame {
    prefix: Vec<u8>,
    suffix: Vec<u8>,
}

/// Section id of an embedded core module, and of a custom section.
const CORE_MODULE: u8 = 1;
const CUSTOM: u8 = 0;

/// Bytes of a component's magic number and version.
const HEADER: usize = 8;

impl Frame {
    /// Compiles the text once.
    pub fn new(pages: u64) -> Result<Frame, Error> {
        let component = wat::parse_str(text(pages)).map_err(|e| Error::Engine(e.to_string()))?;
        let mut at = HEADER;
        while let Some((id, _, end)) = section(&component, at) {
            if id == CORE_MODULE {
                return Ok(Frame {
                    prefix: component[..at].to_vec(),
                    suffix: component[end..].to_vec(),
                });
            }
            at = end;
        }
        Err(Error::Engine("the component text has no place for the image".into()))
    }

    /// The component of an image.
    pub fn wrap(&self, image: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.prefix.len() + image.len() + self.suffix.len() + 8);
        out.extend_from_slice(&self.prefix);
        push_section(&mut out, CORE_MODULE, image);
        out.extend_from_slice(&self.suffix);
        out
    }

    /// The image of a component that has this frame; `None` when it has another.
    pub fn unwrap<'a>(&self, component: &'a [u8]) -> Option<&'a [u8]> {
        let rest = component.strip_prefix(&self.prefix[..])?;
        let (id, start, end) = section(rest, 0)?;
        let mut after = rest.get(end..)?.strip_prefix(&self.suffix[..])?;
        // Custom sections may follow; anything else would add to what the frame does.
        while !after.is_empty() {
            let (custom, _, next) = section(after, 0)?;
            if custom != CUSTOM {
                return None;
            }
            after = &after[next..];
        }
        (id == CORE_MODULE).then(|| &rest[start..end])
    }
}

/// Adds a custom section to a component.
pub fn push_custom(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    let mut body = Vec::with_capacity(data.len() + name.len() + 5);
    push_leb(&mut body, name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(data);
    push_section(component, CUSTOM, &body);
}

fn push_section(out: &mut Vec<u8>, id: u8, body: &[u8]) {
    out.push(id);
    push_leb(out, body.len());
    out.extend_from_slice(body);
}

fn push_leb(out: &mut Vec<u8>, mut n: usize) {
    while n >= 128 {
        out.push(n as u8 | 128);
        n >>= 7;
    }
    out.push(n as u8);
}

/// The section at `at`: its id, and where its body starts and ends.
fn section(bytes: &[u8], at: usize) -> Option<(u8, usize, usize)> {
    let id = *bytes.get(at)?;
    let mut len = 0usize;
    for i in 0..5 {
        let b = *bytes.get(at + 1 + i)?;
        len |= usize::from(b & 127) << (7 * i);
        if b < 128 {
            let start = at + 2 + i;
            let end = start.checked_add(len)?;
            return (end <= bytes.len()).then_some((id, start, end));
        }
    }
    None
}

/// A component of the contract with code of its own, for tests: `core` stands where an image's component imports the
/// engine, and the answers of `read` are put at `answers`.
#[cfg(test)]
pub fn with_own_code(core: &str, pages: u64, answers: u32) -> Vec<u8> {
    let text = text(pages);
    let from = text.find("(import \"engine\"").unwrap();
    let to = text.find("(import \"pointsman:strategy/types").unwrap();
    let ret = format!(
        r#"(core module $Ret (import "s" "memory" (memory {pages}))
             (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const {answers})))"#
    );
    wat::parse_str(format!(
        "{}(core module $E {core})\n{ret}\n{}",
        &text[..from],
        &text[to..]
    ))
    .unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_comes_out_as_it_went_in() {
        let frame = Frame::new(9).unwrap();
        let mut c = frame.wrap(b"the image");
        push_custom(&mut c, "note", b"x");
        assert_eq!(frame.unwrap(&c), Some(&b"the image"[..]));
        assert_eq!(frame.unwrap(&c[..c.len() - 1]), None);
        assert_eq!(Frame::new(10).unwrap().unwrap(&c), None);
    }

    #[test]
    fn nothing_but_custom_sections_may_follow() {
        let frame = Frame::new(9).unwrap();
        let mut c = frame.wrap(b"the image");
        push_section(&mut c, 4, b"another component");
        assert_eq!(frame.unwrap(&c), None);
    }
}
