//! Executable content (W3C SCXML 1.0 section 4 and 6.2-6.3), and the datamodel's side of it.

use crate::event::{Data, Queued, SCXML};
use crate::exports_types::{Cancel, Command, EventKind, Failure, LogEntry, Request, Send};
use crate::js::{Thrown, Value};
use crate::output;
use crate::processors;
use crate::realm::Compiled;
use crate::session::{is_identifier, quote, xml, Session, Stop};
use pointsman_chart::{self as chart, duration_ms, Attribute, BlockId, Content, DoneData, ExprId, Instruction, Op, Param};

/// Elements that a `foreach` may visit.
const MAX_FOREACH: u32 = 1 << 20;

fn error(message: impl Into<String>) -> Stop {
    Stop::Error { event: "error.execution", message: message.into() }
}

impl Session {
    /// Runs a block. An error in it ends the block, and becomes an event.
    pub fn run_block(&mut self, block: BlockId) -> Result<(), Failure> {
        let chart = self.chart;
        for instruction in &chart.blocks[usize::from(block)] {
            match self.run(instruction) {
                Ok(()) => {}
                Err(Stop::Error { event: "", .. }) => break, // already told, inside a nested block
                Err(stop) => {
                    let sendid = match &instruction.op {
                        Op::Send(send) => send.id.clone(),
                        _ => None,
                    };
                    self.stopped(stop, instruction.at, sendid)?;
                    break;
                }
            }
        }
        Ok(())
    }

    /// Runs a block inside another element: an error ends the outer block as well, and is told once.
    fn run_nested(&mut self, block: BlockId) -> Result<(), Stop> {
        let chart = self.chart;
        for instruction in &chart.blocks[usize::from(block)] {
            match self.run(instruction) {
                Ok(()) => {}
                Err(stop @ Stop::Error { event: "", .. }) => return Err(stop),
                Err(stop) => {
                    let sendid = match &instruction.op {
                        Op::Send(send) => send.id.clone(),
                        _ => None,
                    };
                    // Placed: the elements around this one must not add their own places to a limit's message.
                    self.stopped(stop, instruction.at, sendid).map_err(Stop::Placed)?;
                    return Err(Stop::Error { event: "", message: String::new() });
                }
            }
        }
        Ok(())
    }

    fn run(&mut self, instruction: &'static Instruction) -> Result<(), Stop> {
        match &instruction.op {
            Op::Raise { event, params } => {
                let mut queued = Queued::new(event.as_str().into(), EventKind::Internal);
                if let Some(value) = self.params(params)? {
                    queued.data = Data::from_value(&value)?;
                }
                Ok(self.enqueue(queued)?)
            }
            Op::If(branches) => {
                for (cond, block) in branches {
                    // A condition that fails counts as false (W3C SCXML 5.9.1), and its error is told.
                    let holds = match cond {
                        None => true,
                        Some(c) => match self.condition(*c) {
                            Ok(b) => b,
                            Err(stop) => {
                                let at = self.place(*c);
                                self.stopped(stop, at, None).map_err(Stop::Placed)?;
                                false
                            }
                        },
                    };
                    if holds {
                        return self.run_nested(*block);
                    }
                }
                Ok(())
            }
            Op::Foreach { array, item, index, body } => self.foreach(*array, *item, *index, *body),
            Op::Log { label, expr, level } => {
                let text = match expr {
                    Some(e) => self.eval(*e)?.display()?,
                    None => String::new(),
                };
                let entry = LogEntry { label: label.clone(), text, level: *level };
                Ok(output::of_call().log(&self.limits, entry)?)
            }
            Op::Assign(a) => {
                let value = self.content(&a.value)?;
                self.assign(a.location, value, false)
            }
            Op::Script(s) => self.run_script(*s),
            Op::Send(send) => self.send(send, instruction.at),
            Op::Cancel(id) => {
                let id = self.attribute(id)?;
                Ok(output::of_call().command(&self.limits, Command::Cancel(Cancel { sendid: id, report: self.chart.of_ors }))?)
            }
            Op::Request(r) => self.request(r),
        }
    }

    fn compiled(&self, e: ExprId) -> &Compiled {
        &self.compiled[usize::from(self.chart.expressions[usize::from(e)].source)]
    }

    /// Where an expression stands.
    pub fn place(&self, e: ExprId) -> chart::Position {
        self.chart.expressions[usize::from(e)].at
    }

    /// Value of an expression.
    pub fn eval(&self, e: ExprId) -> Result<Value, Stop> {
        match self.compiled(e) {
            Compiled::Ready(f) => Ok(f.call(&mut [])?),
            Compiled::Broken(text) => Err(error(format!("`{}`: {text}", self.chart.text(e)))),
        }
    }

    /// Truth of an expression.
    pub fn condition(&self, e: ExprId) -> Result<bool, Stop> {
        Ok(self.eval(e)?.truthy()?)
    }

    /// Runs a program in the global scope.
    pub fn run_script(&mut self, e: ExprId) -> Result<(), Stop> {
        match self.compiled(e) {
            Compiled::Ready(program) => Ok(program.run().map(drop)?),
            Compiled::Broken(text) => Err(error(text.clone())),
        }
    }

    /// Sets a location. `creating` is for `data`, whose item exists without having been assigned.
    pub fn assign(&mut self, location: ExprId, value: Value, creating: bool) -> Result<(), Stop> {
        let text = self.chart.text(location);
        match self.compiled(location) {
            Compiled::Ready(f) => f.call(&mut [value.raw()]).map(drop).map_err(|t| told(t, text, creating)),
            Compiled::Broken(why) => Err(error(format!("`{text}` is not a location that can be set: {why}"))),
        }
    }

    /// A value given in the document.
    pub fn content(&self, content: &Content) -> Result<Value, Stop> {
        match content {
            Content::None => Ok(Value::undefined()),
            Content::Expr(e) => self.eval(*e),
            Content::Json(json) => Ok(Value::parse(json)?),
            Content::Text(text) => Ok(Value::string(text)?),
            Content::Xml(text) => Ok(xml(text)?),
        }
    }

    pub fn attribute(&self, a: &Attribute) -> Result<String, Stop> {
        match a {
            Attribute::Literal(text) => Ok(text.clone()),
            Attribute::Expr(e) => Ok(self.eval(*e)?.text()?),
        }
    }

    /// W3C SCXML 4.6: over a copy, so that the body may change the array.
    fn foreach(&mut self, array: ExprId, item: ExprId, index: Option<ExprId>, body: BlockId) -> Result<(), Stop> {
        let value = self.eval(array)?;
        if !value.is_array() {
            return Err(error("`array` of foreach is not an array"));
        }
        let length: u32 = value.get("length")?.text()?.parse().unwrap_or(u32::MAX);
        if length > MAX_FOREACH {
            return Err(error(format!("foreach over {length} elements, at most {MAX_FOREACH} are allowed")));
        }
        let mut items = Vec::new();
        for i in 0..length {
            items.push(value.index(i)?);
        }
        // Both names must be legal even when there is nothing to visit.
        for setter in [Some(item), index].into_iter().flatten() {
            if let Compiled::Broken(why) = self.compiled(setter) {
                let text = self.chart.text(setter);
                return Err(error(format!("`{text}` is not a name for a variable: {why}")));
            }
        }
        // Declared also where there is nothing to visit (W3C SCXML 4.6).
        self.declare(item)?;
        index.map_or(Ok(()), |i| self.declare(i))?;
        for (i, value) in items.into_iter().enumerate() {
            self.assign(item, value, true)?;
            if let Some(index) = index {
                self.assign(index, Value::number(i as f64), true)?;
            }
            self.run_nested(body)?;
        }
        Ok(())
    }

    /// Makes a variable that is missing: what sets it is strict, so that a system variable is an error.
    fn declare(&mut self, item: ExprId) -> Result<(), Stop> {
        let global = crate::js::global();
        let name = self.chart.text(item);
        if is_identifier(name) && !global.has_own(name) {
            global.set(name, Value::undefined())?;
        }
        Ok(())
    }

    /// Names and values as one object.
    fn object(&self, params: &[Param]) -> Result<Value, Stop> {
        let object = Value::object()?;
        for (i, p) in params.iter().enumerate() {
            add(&object, params, i, self.eval(p.expr)?)?;
        }
        Ok(object)
    }

    /// `donedata`: a `param` that fails is left out and told; `content` that fails, and what JSON has no form
    /// for (a big integer, a cycle), is told and gives nothing. A final that is reached stays reached.
    pub fn done_data(&mut self, d: &'static DoneData) -> Result<Data, Failure> {
        let (value, at) = match &d.content {
            Some(content) => (self.content(content).map(Some), self.expression_position(content)),
            None => {
                let at = d.params.first().map_or_else(chart::Position::default, |p| self.place(p.expr));
                (Ok(self.params(&d.params)?), at)
            }
        };
        let data = value.and_then(|v| match v {
            Some(v) => Ok(Data::from_value(&v)?),
            None => Ok(Data::None),
        });
        data.or_else(|stop| self.stopped(stop, at, None).map(|()| Data::None))
    }

    fn expression_position(&self, content: &Content) -> chart::Position {
        match content {
            Content::Expr(e) => self.place(*e),
            _ => chart::Position::default(),
        }
    }

    /// Adds a `param` to the object, which is made for the first one that has a value.
    fn param(&self, params: &[Param], i: usize, object: &mut Option<Value>) -> Result<(), Stop> {
        let value = self.eval(params[i].expr)?;
        let object = match object {
            Some(o) => o,
            None => object.insert(Value::object()?),
        };
        add(object, params, i, value)
    }

    /// `param`s as an object, those that fail left out (W3C SCXML 5.7). `None` where none has a value.
    fn params(&mut self, params: &'static [Param]) -> Result<Option<Value>, Failure> {
        if params.is_empty() {
            return Ok(None);
        }
        let mut object = None;
        for (i, p) in params.iter().enumerate() {
            if let Err(stop) = self.param(params, i, &mut object) {
                self.stopped(stop, self.place(p.expr), None)?;
            }
        }
        Ok(object)
    }

    /// `namelist` and `param`s of a `send` or `invoke` as one object.
    pub fn payload(&mut self, namelist: &'static [Param], params: &'static [Param]) -> Result<Option<Value>, Stop> {
        let names = match namelist.is_empty() {
            true => None,
            false => Some(self.object(namelist)?),
        };
        match (names, self.params(params)?) {
            (Some(names), Some(object)) => {
                for name in object.keys()? {
                    names.set(&name, object.get(&name)?)?;
                }
                Ok(Some(names))
            }
            (names, object) => Ok(names.or(object)),
        }
    }

    fn send(&mut self, send: &'static chart::Send, at: chart::Position) -> Result<(), Stop> {
        let id = match (&send.id, send.idlocation) {
            (Some(id), _) => Some(id.clone()),
            (None, Some(location)) => {
                let id = self.new_id("send");
                self.assign(location, Value::string(&id)?, false)?;
                Some(id)
            }
            (None, None) => None,
        };
        self.send_as(send, id.clone()).map_err(|stop| match stop {
            // The id of this send, also where it was generated, belongs into the error event.
            Stop::Error { event, message } if send.id.is_none() && id.is_some() && !event.is_empty() => {
                match self.raise_error(event, at, message, id) {
                    Ok(()) => Stop::Error { event: "", message: String::new() },
                    Err(f) => Stop::Limit(f),
                }
            }
            other => other,
        })
    }

    fn send_as(&mut self, send: &'static chart::Send, id: Option<String>) -> Result<(), Stop> {
        let event = match &send.event {
            Some(a) => Some(self.attribute(a)?),
            None => None,
        };
        let target = match &send.target {
            Some(a) => Some(self.attribute(a)?),
            None => None,
        };
        let processor = match &send.processor {
            Some(a) => Some(self.attribute(a)?),
            None => None,
        };
        let delay_ms = match &send.delay {
            Some(a) => {
                let text = self.attribute(a)?;
                duration_ms(&text).ok_or_else(|| error(format!("`{text}` is not a duration such as 2s or 150ms")))?
            }
            None => 0,
        };
        let data = match &send.content {
            Some(content) => Some(self.content(content)?),
            None => self.payload(&send.namelist, &send.params)?,
        };
        if self.chart.of_ors && processor.as_deref() == Some("fm") {
            return self.send_to_module(event, target, delay_ms, data);
        }
        let scxml = match processor.as_deref() {
            None | Some("" | "scxml" | SCXML) => true,
            Some(other) if processors::have(other)? => false,
            Some(other) => return Err(error(format!("`{other}` is no I/O processor of this platform"))),
        };
        let event = match event {
            Some(e) => e,
            None if scxml => return Err(error("send to a session without an event name")),
            None => String::new(),
        };
        let mut target = target.filter(|t| !t.is_empty());
        if scxml {
            match target.as_deref() {
                Some("#_internal") => return self.send_internal(event, id, delay_ms, data),
                Some("_internal") if self.chart.of_ors => return self.send_internal(event, id, delay_ms, data),
                Some(t) if self.chart.of_ors && t == self.id => target = None,
                Some(t) if t.strip_prefix("#_scxml_") == Some(&self.id) => target = None,
                // Whether that session exists is the host's knowledge, and the error must come before what follows. Documents of
                // ORS give the id alone.
                Some(t) if t.starts_with("#_scxml_") || self.chart.of_ors && !t.starts_with('#') => {
                    let other = t.trim_start_matches("#_scxml_");
                    if let Err(why) = crate::host_data::ask("session", other) {
                        return Err(Stop::Error { event: "error.communication", message: why });
                    }
                }
                Some(t) if t.starts_with("#_") && t.len() > 2 => {}
                Some(t) => return Err(error(format!("`{t}` is no target for an event to a session"))),
                None => {}
            }
        }
        let (data, xml) = match data {
            Some(v) => Data::from_value(&v)?.into_json(),
            None => (None, false),
        };
        let processor = if scxml { None } else { processor };
        let command = Command::Send(Send { id, event, target, processor, data, xml, delay_ms });
        Ok(output::of_call().command(&self.limits, command)?)
    }

    /// `send` to a functional module, as ORS has it beside the modules' own elements: the target is the module's namespace, the
    /// event its action.
    fn send_to_module(
        &mut self,
        event: Option<String>,
        target: Option<String>,
        delay_ms: u64,
        data: Option<Value>,
    ) -> Result<(), Stop> {
        let (Some(action), Some(target)) = (event, target) else {
            return Err(error("a send to a functional module needs its namespace as target, and the action as event"));
        };
        if delay_ms > 0 {
            return Err(error("a request to a functional module cannot be delayed"));
        }
        let module = target.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        // Not the author's: that names the send, which may be done often.
        let id = self.new_id(&module);
        let params = match data {
            Some(v) => v.json()?,
            None => None,
        };
        let request = Request { module, action, id, params: params.unwrap_or_else(|| "{}".into()) };
        Ok(output::of_call().command(&self.limits, Command::Request(request))?)
    }

    fn send_internal(&mut self, event: String, id: Option<String>, delay_ms: u64, data: Option<Value>) -> Result<(), Stop> {
        if delay_ms > 0 {
            return Err(error("an event for the internal queue cannot be delayed"));
        }
        let mut queued = Queued::new(event.into(), EventKind::Internal);
        queued.sendid = id;
        queued.data = match data {
            Some(v) => Data::from_value(&v)?,
            None => Data::None,
        };
        Ok(self.enqueue(queued)?)
    }

    fn request(&mut self, r: &'static chart::Request) -> Result<(), Stop> {
        let id = self.new_id(&r.module);
        if let Some(location) = r.requestid {
            self.assign(location, Value::string(&id)?, false)?;
        }
        let params = self.element(&r.body)?;
        let request = Request { module: r.module.clone(), action: r.action.clone(), id, params };
        Ok(output::of_call().command(&self.limits, Command::Request(request))?)
    }
}

impl Session {
    /// Attributes and children of an action as JSON; what has no value is left out. The chart bounds how deep they nest.
    fn element(&self, e: &chart::Element) -> Result<String, Stop> {
        let mut object = String::from("{");
        if !e.name.is_empty() {
            push_member(&mut object, "element", &quote(&e.name));
        }
        for attribute in &e.attributes {
            let json = match &attribute.value {
                Attribute::Literal(text) => Some(quote(text)),
                Attribute::Expr(e) => self.eval(*e)?.json()?,
            };
            if let Some(json) = json {
                push_member(&mut object, &attribute.name, &json);
            }
        }
        if !e.params.is_empty() {
            if let Some(json) = self.object(&e.params)?.json()? {
                push_member(&mut object, "params", &json);
            }
        }
        if let Some(content) = &e.content {
            if let Some(json) = self.content(content)?.json()? {
                push_member(&mut object, "content", &json);
            }
        }
        if !e.children.is_empty() {
            let children: Result<Vec<String>, Stop> = e.children.iter().map(|child| self.element(child)).collect();
            push_member(&mut object, "children", &format!("[{}]", children?.join(",")));
        }
        object.push('}');
        Ok(object)
    }
}

/// Sets a member. A name that comes again has all of its values, in an array: none may be lost (W3C SCXML 5.7).
fn add(object: &Value, params: &[Param], i: usize, value: Value) -> Result<(), Stop> {
    let name = &params[i].name;
    let same = |p: &&Param| p.name == *name;
    let all = params.iter().filter(same).count();
    if all == 1 {
        return Ok(object.set(name, value)?);
    }
    let list = match object.has_own(name) {
        true => object.get(name)?,
        false => Value::array()?,
    };
    list.push(value)?;
    Ok(object.set(name, list)?)
}

fn push_member(object: &mut String, name: &str, json: &str) {
    if object.len() > 1 {
        object.push(',');
    }
    object.push_str(&quote(name));
    object.push(':');
    object.push_str(json);
}

fn told(t: Thrown, location: &str, creating: bool) -> Stop {
    match Stop::from(t) {
        Stop::Error { event, message } if !creating => {
            Stop::Error { event, message: format!("`{location}` cannot be set: {message}") }
        }
        other => other,
    }
}
