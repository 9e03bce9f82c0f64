//! The Ostler plugin ABI, version 1, as <ostler/plugin.h> has it, and a thin safe layer over it.
//!
//! The first half is the header, name by name; its layout is checked by a test. The second half owns
//! CString, CStr and catch_unwind, so that a plugin need not. Not all of it is used by every plugin.
#![allow(dead_code)]

use std::ffi::{c_void, CStr, CString};
use std::os::raw::c_char;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;

// ---- the header ----

pub const OK: i32 = 0;
pub const E_FAILED: i32 = -1;
pub const E_INVALID: i32 = -2;
pub const E_NOT_FOUND: i32 = -3;
pub const E_DENIED: i32 = -4;
pub const E_CANCELLED: i32 = -5;
pub const E_TIMEOUT: i32 = -6;
pub const E_LIMIT: i32 = -7;
pub const E_IO: i32 = -8;
pub const E_UNSUPPORTED: i32 = -9;
pub const E_EXIT: i32 = -10;

pub const STRING: i32 = 0;
pub const BOOL: i32 = 1;
pub const INT: i32 = 2;
pub const LIST: i32 = 3;
pub const CHOICE: i32 = 4;
pub const PATH: i32 = 5;

pub const REQUIRED: u32 = 1 << 0;
pub const SECRET: u32 = 1 << 1;
pub const NEED_NETWORK: u32 = 1 << 0;
pub const NEED_WORKSPACE_WRITE: u32 = 1 << 1;
pub const EFFECTS_VIA_HOST: u32 = 1 << 0;
pub const POST_IF_SAVED: u32 = 1 << 1;

pub const DEBUG: i32 = 0;
pub const INFO: i32 = 1;
pub const NOTICE: i32 = 2;
pub const WARNING: i32 = 3;
pub const ERROR: i32 = 4;

pub const PHASE_PLAN: i32 = 0;
pub const PHASE_PRE: i32 = 1;
pub const PHASE_MAIN: i32 = 2;
pub const PHASE_POST: i32 = 3;

pub const DIR_WORKSPACE: i32 = 0;
pub const DIR_TEMP: i32 = 1;
pub const DIR_TOOLS: i32 = 2;
pub const DIR_HOME: i32 = 3;
pub const DIR_SELF: i32 = 4;

pub const EXEC_CHECK: u32 = 1 << 0;
pub const EXEC_QUIET: u32 = 1 << 1;
pub const EXEC_CAPTURE: u32 = 1 << 2;
pub const EXEC_COMMANDS: u32 = 1 << 3;

type Text = *const c_char;
pub type Phase = extern "C" fn(*mut RawStep) -> i32;

#[repr(C)]
pub struct Input {
    name: Text,
    kind: i32,
    flags: u32,
    fallback: Text,
    description: Text,
    choices: *const Text,
    deprecation: Text,
}

#[repr(C)]
pub struct Output {
    name: Text,
    description: Text,
}

#[repr(C)]
pub struct Plugin {
    struct_size: u32,
    abi_minor: u32,
    id: Text,
    version: Text,
    title: Text,
    description: Text,
    author: Text,
    inputs: *const Input,
    n_inputs: u32,
    input_size: u32,
    outputs: *const Output,
    n_outputs: u32,
    output_size: u32,
    needs: u32,
    traits: u32,
    plan: Option<Phase>,
    pre: Option<Phase>,
    main: Option<Phase>,
    post: Option<Phase>,
    pre_if: Text,
    post_if: Text,
    extension: Option<extern "C" fn(Text) -> *const c_void>,
}

// Tables of constants: nobody changes what they point to.
unsafe impl Sync for Input {}
unsafe impl Sync for Output {}
unsafe impl Sync for Plugin {}

#[repr(C)]
pub struct RawNote {
    pub struct_size: u32,
    pub level: i32,
    pub message: Text,
    pub title: Text,
    pub file: Text,
    pub line: u32,
    pub end_line: u32,
    pub col: u32,
    pub end_col: u32,
}

#[repr(C)]
pub struct RawExec {
    pub struct_size: u32,
    pub flags: u32,
    pub argv: *const Text,
    pub env: *const Text,
    pub cwd: Text,
    pub input: *const c_void,
    pub input_size: usize,
    pub timeout_ms: i64,
    pub on_output: Option<extern "C" fn(*mut c_void, i32, *const c_char, usize) -> i32>,
    pub ctx: *mut c_void,
}

#[repr(C)]
pub struct RawExecResult {
    pub struct_size: u32,
    pub exit_code: i32,
    pub signal: i32,
    pub out: Text,
    pub out_size: usize,
}

#[repr(C)]
pub struct RawHost {
    pub struct_size: u32,
    pub abi_minor: u32,
    pub log: unsafe extern "C" fn(*mut RawStep, i32, Text),
    pub annotate: unsafe extern "C" fn(*mut RawStep, *const RawNote),
    pub group: unsafe extern "C" fn(*mut RawStep, Text),
    pub mask: unsafe extern "C" fn(*mut RawStep, Text) -> i32,
    pub fail: unsafe extern "C" fn(*mut RawStep, i32, Text) -> i32,
    pub last_error: unsafe extern "C" fn(*mut RawStep) -> Text,
    pub input: unsafe extern "C" fn(*mut RawStep, Text) -> Text,
    pub input_list: unsafe extern "C" fn(*mut RawStep, Text, *mut *const Text) -> usize,
    pub context: unsafe extern "C" fn(*mut RawStep, Text) -> Text,
    pub output: unsafe extern "C" fn(*mut RawStep, Text, Text) -> i32,
    pub env: unsafe extern "C" fn(*mut RawStep, Text, Text) -> i32,
    pub path: unsafe extern "C" fn(*mut RawStep, Text) -> i32,
    pub summary: unsafe extern "C" fn(*mut RawStep, Text) -> i32,
    pub save: unsafe extern "C" fn(*mut RawStep, Text, Text) -> i32,
    pub saved: unsafe extern "C" fn(*mut RawStep, Text) -> Text,
    pub dir: unsafe extern "C" fn(*mut RawStep, i32) -> Text,
    pub temp: unsafe extern "C" fn(*mut RawStep, Text) -> Text,
    pub alloc: unsafe extern "C" fn(*mut RawStep, usize) -> *mut c_void,
    pub exec: unsafe extern "C" fn(*mut RawStep, *const RawExec, *mut RawExecResult) -> i32,
    pub phase: unsafe extern "C" fn(*mut RawStep) -> i32,
    pub cancelled: unsafe extern "C" fn(*mut RawStep) -> i32,
    pub cancel_fd: unsafe extern "C" fn(*mut RawStep) -> i32,
    pub time_left_ms: unsafe extern "C" fn(*mut RawStep) -> i64,
    pub plan: unsafe extern "C" fn(*mut RawStep, Text, Text, Text) -> i32,
    pub extension: unsafe extern "C" fn(*mut RawStep, Text) -> *const c_void,
}

#[repr(C)]
pub struct RawStep {
    pub host: *const RawHost, // the host keeps more behind it
}

// ---- tables ----

/// A constant with the NUL that C wants at its end.
#[macro_export]
macro_rules! text {
    ($text:expr) => {
        concat!($text, "\0")
    };
}

const fn c(text: &'static str) -> Text {
    assert!(text.as_bytes()[text.len() - 1] == 0, "write it with text!()");
    text.as_ptr() as Text
}

impl Input {
    pub const fn new(name: &'static str, kind: i32, description: &'static str) -> Input {
        Input {
            name: c(name),
            kind,
            flags: 0,
            fallback: ptr::null(),
            description: c(description),
            choices: ptr::null(),
            deprecation: ptr::null(),
        }
    }
    pub const fn text(name: &'static str, description: &'static str) -> Input {
        Input::new(name, STRING, description)
    }
    pub const fn boolean(name: &'static str, description: &'static str) -> Input {
        Input::new(name, BOOL, description)
    }
    pub const fn default(mut self, value: &'static str) -> Input {
        self.fallback = c(value);
        self
    }
    pub const fn required(mut self) -> Input {
        self.flags |= REQUIRED;
        self
    }
    pub const fn secret(mut self) -> Input {
        self.flags |= SECRET;
        self
    }
}

impl Output {
    pub const fn new(name: &'static str, description: &'static str) -> Output {
        Output { name: c(name), description: c(description) }
    }
}

impl Plugin {
    pub const fn new(
        id: &'static str,
        version: &'static str,
        description: &'static str,
        main: Phase,
    ) -> Plugin {
        Plugin {
            struct_size: std::mem::size_of::<Plugin>() as u32,
            abi_minor: 0,
            id: c(id),
            version: c(version),
            title: ptr::null(),
            description: c(description),
            author: ptr::null(),
            inputs: ptr::null(),
            n_inputs: 0,
            input_size: std::mem::size_of::<Input>() as u32,
            outputs: ptr::null(),
            n_outputs: 0,
            output_size: std::mem::size_of::<Output>() as u32,
            needs: 0,
            traits: 0,
            plan: None,
            pre: None,
            main: Some(main),
            post: None,
            pre_if: ptr::null(),
            post_if: ptr::null(),
            extension: None,
        }
    }
    pub const fn inputs(mut self, inputs: &'static [Input]) -> Plugin {
        self.inputs = inputs.as_ptr();
        self.n_inputs = inputs.len() as u32;
        self
    }
    pub const fn outputs(mut self, outputs: &'static [Output]) -> Plugin {
        self.outputs = outputs.as_ptr();
        self.n_outputs = outputs.len() as u32;
        self
    }
    pub const fn needs(mut self, needs: u32) -> Plugin {
        self.needs = needs;
        self
    }
    pub const fn effects_via_host(mut self) -> Plugin {
        self.traits |= EFFECTS_VIA_HOST;
        self
    }
    pub const fn plan(mut self, phase: Phase) -> Plugin {
        self.plan = Some(phase);
        self
    }
    pub const fn pre(mut self, phase: Phase) -> Plugin {
        self.pre = Some(phase);
        self
    }
    pub const fn post(mut self, phase: Phase) -> Plugin {
        self.post = Some(phase);
        self
    }
    pub fn input_tables(&self) -> &'static [Input] {
        unsafe { std::slice::from_raw_parts(self.inputs, self.n_inputs as usize) }
    }
}

impl Input {
    pub fn name(&self) -> String {
        unsafe { string(self.name) }
    }
    pub fn fallback(&self) -> String {
        unsafe { string(self.fallback) }
    }
}

/// A text of the host's, copied; "" for none.
unsafe fn string(text: Text) -> String {
    if text.is_null() {
        String::new()
    } else {
        CStr::from_ptr(text).to_string_lossy().into_owned()
    }
}

/// A text for the host; what follows a NUL is not told.
fn cstring(text: &str) -> CString {
    CString::new(text.split('\0').next().unwrap_or("")).unwrap_or_default()
}

// ---- a phase ----

/// Why a phase ends: a status below 0, and a text unless the host has one already.
#[derive(Debug)]
pub struct Failure {
    pub status: i32,
    pub text: Option<String>,
}

impl Failure {
    pub fn new(status: i32, text: impl Into<String>) -> Failure {
        Failure { status, text: Some(text.into()) }
    }
}

fn check(status: i32) -> Result<(), Failure> {
    if status < 0 {
        Err(Failure { status, text: None })
    } else {
        Ok(())
    }
}

/// Runs F as a phase: an error or a panic becomes the phase's status and text.
pub fn run(raw: *mut RawStep, f: fn(&Step) -> Result<(), Failure>) -> i32 {
    let step = Step { raw };
    match catch_unwind(AssertUnwindSafe(|| f(&step))) {
        Ok(Ok(())) => OK,
        Ok(Err(Failure { status, text: None })) => status,
        Ok(Err(Failure { status, text: Some(text) })) => step.fail(status, &text),
        Err(_) => step.fail(E_FAILED, "the plugin panicked"),
    }
}

pub struct Step {
    raw: *mut RawStep,
}

pub struct Finished {
    pub exit_code: i32,
    pub signal: i32,
    pub out: String,
}

/// A command, run inside the job's isolation; no shell is involved.
pub struct Command {
    argv: Vec<CString>,
    env: Vec<CString>,
    flags: u32,
    input: Option<Vec<u8>>,
    timeout_ms: i64,
}

impl Command {
    pub fn new(argv: &[&str]) -> Command {
        Command {
            argv: argv.iter().map(|a| cstring(a)).collect(),
            env: Vec::new(),
            flags: 0,
            input: None,
            timeout_ms: 0,
        }
    }
    /// On top of the job's environment.
    pub fn env(mut self, name: &str, value: &str) -> Command {
        self.env.push(cstring(&format!("{}={}", name, value)));
        self
    }
    /// An exit code that is not 0 is an error.
    pub fn check(mut self) -> Command {
        self.flags |= EXEC_CHECK;
        self
    }
    pub fn capture(mut self) -> Command {
        self.flags |= EXEC_CAPTURE;
        self
    }
    pub fn quiet(mut self) -> Command {
        self.flags |= EXEC_QUIET;
        self
    }
    pub fn input(mut self, bytes: &[u8]) -> Command {
        self.input = Some(bytes.to_vec());
        self
    }
    pub fn timeout_ms(mut self, ms: i64) -> Command {
        self.timeout_ms = ms;
        self
    }
}

fn pointers(list: &[CString]) -> Vec<Text> {
    list.iter().map(|one| one.as_ptr()).chain(std::iter::once(ptr::null())).collect()
}

impl Step {
    fn host(&self) -> &RawHost {
        unsafe { &*(*self.raw).host }
    }

    pub fn log(&self, level: i32, text: &str) {
        unsafe { (self.host().log)(self.raw, level, cstring(text).as_ptr()) }
    }
    pub fn info(&self, text: &str) {
        self.log(INFO, text)
    }
    pub fn mask(&self, secret: &str) -> Result<(), Failure> {
        check(unsafe { (self.host().mask)(self.raw, cstring(secret).as_ptr()) })
    }
    pub fn fail(&self, status: i32, text: &str) -> i32 {
        unsafe { (self.host().fail)(self.raw, status, cstring(text).as_ptr()) }
    }
    pub fn last_error(&self) -> String {
        unsafe { string((self.host().last_error)(self.raw)) }
    }

    /// An input that the contract declares; "" when unset.
    pub fn input(&self, name: &str) -> String {
        unsafe { string((self.host().input)(self.raw, cstring(name).as_ptr())) }
    }
    pub fn input_list(&self, name: &str) -> Vec<String> {
        let mut items: *const Text = ptr::null();
        unsafe {
            let n = (self.host().input_list)(self.raw, cstring(name).as_ptr(), &mut items);
            (0..n).map(|i| string(*items.add(i))).collect()
        }
    }
    pub fn context(&self, name: &str) -> Option<String> {
        let text = unsafe { (self.host().context)(self.raw, cstring(name).as_ptr()) };
        (!text.is_null()).then(|| unsafe { string(text) })
    }
    pub fn output(&self, name: &str, value: &str) -> Result<(), Failure> {
        check(unsafe {
            (self.host().output)(self.raw, cstring(name).as_ptr(), cstring(value).as_ptr())
        })
    }
    pub fn env(&self, name: &str, value: &str) -> Result<(), Failure> {
        check(unsafe {
            (self.host().env)(self.raw, cstring(name).as_ptr(), cstring(value).as_ptr())
        })
    }
    pub fn summary(&self, markdown: &str) -> Result<(), Failure> {
        check(unsafe { (self.host().summary)(self.raw, cstring(markdown).as_ptr()) })
    }
    pub fn save(&self, name: &str, value: &str) -> Result<(), Failure> {
        check(unsafe {
            (self.host().save)(self.raw, cstring(name).as_ptr(), cstring(value).as_ptr())
        })
    }
    pub fn saved(&self, name: &str) -> Option<String> {
        let text = unsafe { (self.host().saved)(self.raw, cstring(name).as_ptr()) };
        (!text.is_null()).then(|| unsafe { string(text) })
    }
    pub fn dir(&self, which: i32) -> String {
        unsafe { string((self.host().dir)(self.raw, which)) }
    }
    pub fn cancelled(&self) -> bool {
        unsafe { (self.host().cancelled)(self.raw) != 0 }
    }
    /// One line of a plan.
    pub fn plan(&self, verb: &str, object: &str, detail: &str) -> Result<(), Failure> {
        check(unsafe {
            (self.host().plan)(
                self.raw,
                cstring(verb).as_ptr(),
                cstring(object).as_ptr(),
                cstring(detail).as_ptr(),
            )
        })
    }

    pub fn exec(&self, command: &Command) -> Result<Finished, Failure> {
        let (argv, env) = (pointers(&command.argv), pointers(&command.env));
        let input = command.input.as_deref();
        let spec = RawExec {
            struct_size: std::mem::size_of::<RawExec>() as u32,
            flags: command.flags,
            argv: argv.as_ptr(),
            env: env.as_ptr(),
            cwd: ptr::null(),
            input: input.map_or(ptr::null(), |bytes| bytes.as_ptr() as *const c_void),
            input_size: input.map_or(0, |bytes| bytes.len()),
            timeout_ms: command.timeout_ms,
            on_output: None,
            ctx: ptr::null_mut(),
        };
        let mut result = RawExecResult {
            struct_size: std::mem::size_of::<RawExecResult>() as u32,
            exit_code: 0,
            signal: 0,
            out: ptr::null(),
            out_size: 0,
        };

        check(unsafe { (self.host().exec)(self.raw, &spec, &mut result) })?;
        Ok(Finished {
            exit_code: result.exit_code,
            signal: result.signal,
            out: unsafe { string(result.out) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::{size_of, MaybeUninit};

    macro_rules! offset {
        ($type:ty, $member:ident) => {{
            let room = MaybeUninit::<$type>::uninit();
            let base = room.as_ptr();
            let member = unsafe { ptr::addr_of!((*base).$member) };
            member as usize - base as usize
        }};
    }

    /// As pinned for C on every 64-bit system.
    #[test]
    fn has_the_layout_of_the_header() {
        assert_eq!(size_of::<Plugin>(), 144);
        assert_eq!(size_of::<Input>(), 48);
        assert_eq!(size_of::<Output>(), 16);
        assert_eq!(size_of::<RawHost>(), 208);
        assert_eq!(size_of::<RawNote>(), 48);
        assert_eq!(size_of::<RawExec>(), 72);
        assert_eq!(size_of::<RawExecResult>(), 32);
        assert_eq!(offset!(Plugin, inputs), 48);
        assert_eq!(offset!(Plugin, outputs), 64);
        assert_eq!(offset!(Plugin, needs), 80);
        assert_eq!(offset!(Plugin, plan), 88);
        assert_eq!(offset!(Plugin, extension), 136);
        assert_eq!(offset!(Input, fallback), 16);
        assert_eq!(offset!(Input, deprecation), 40);
        assert_eq!(offset!(RawHost, log), 8);
        assert_eq!(offset!(RawHost, input), 56);
        assert_eq!(offset!(RawHost, dir), 128);
        assert_eq!(offset!(RawHost, exec), 152);
        assert_eq!(offset!(RawHost, extension), 200);
        assert_eq!(offset!(RawExec, argv), 8);
        assert_eq!(offset!(RawExec, timeout_ms), 48);
        assert_eq!(offset!(RawExecResult, out), 16);
        assert_eq!(offset!(RawNote, line), 32);
    }
}
