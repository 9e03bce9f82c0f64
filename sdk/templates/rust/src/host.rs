//! A host in memory, for tests: inputs and the answers of commands go in, outputs and the log come out, and any call can
//! be made to fail.

use crate::ostler::*;
use std::collections::HashMap;
use std::ffi::{c_void, CStr, CString};
use std::os::raw::c_char;

/// The raw step is its first member, so that a call finds the host behind it.
#[repr(C)]
struct Inner {
    step: RawStep,
    inputs: HashMap<String, String>,
    answers: HashMap<String, (i32, String)>,
    outputs: HashMap<String, String>,
    saved: HashMap<String, String>,
    log: String,
    failure: String,
    kept: Vec<CString>,
    blocks: Vec<Vec<u64>>,
    fault: usize,
    struck: bool,
}

pub struct Host(Box<Inner>);

impl Host {
    pub fn new(plugin: &Plugin) -> Host {
        let inputs = plugin.input_tables().iter().map(|i| (i.name(), i.fallback())).collect();
        Host(Box::new(Inner {
            step: RawStep { host: &HOST },
            inputs,
            answers: HashMap::new(),
            outputs: HashMap::new(),
            saved: HashMap::new(),
            log: String::new(),
            failure: String::new(),
            kept: Vec::new(),
            blocks: Vec::new(),
            fault: 0,
            struck: false,
        }))
    }
    pub fn with(&mut self, name: &str, value: &str) {
        self.0.inputs.insert(name.into(), value.into());
    }
    /// What a command answers whose words, joined by blanks, are LINE; others exit 0 and print nothing.
    pub fn on_exec(&mut self, line: &str, exit_code: i32, out: &str) {
        self.0.answers.insert(line.into(), (exit_code, out.into()));
    }
    /// The NTH call that can fail fails.
    pub fn fault(&mut self, nth: usize) {
        self.0.fault = nth;
    }
    pub fn struck(&self) -> bool {
        self.0.struck
    }
    pub fn run(&mut self, phase: Phase) -> i32 {
        phase(&mut *self.0 as *mut Inner as *mut RawStep)
    }
    pub fn output(&self, name: &str) -> Option<String> {
        self.0.outputs.get(name).cloned()
    }
    #[allow(dead_code)]
    pub fn log(&self) -> &str {
        &self.0.log
    }
    #[allow(dead_code)]
    pub fn failure(&self) -> &str {
        &self.0.failure
    }
}

unsafe fn inner<'a>(step: *mut RawStep) -> &'a mut Inner {
    &mut *(step as *mut Inner)
}

unsafe fn string(text: *const c_char) -> String {
    CStr::from_ptr(text).to_string_lossy().into_owned()
}

unsafe fn keep(step: *mut RawStep, text: &str) -> *const c_char {
    let kept = &mut inner(step).kept;
    kept.push(CString::new(text).expect("no NUL in a text"));
    kept[kept.len() - 1].as_ptr()
}

/// False if this call is the one that fails.
unsafe fn goes_well(step: *mut RawStep) -> bool {
    let host = inner(step);
    if host.fault == 0 {
        return true;
    }
    host.fault -= 1;
    host.struck = host.struck || host.fault == 0;
    host.fault != 0
}

unsafe fn status(step: *mut RawStep) -> i32 {
    if goes_well(step) {
        OK
    } else {
        E_IO
    }
}

unsafe extern "C" fn log(step: *mut RawStep, _level: i32, text: *const c_char) {
    inner(step).log.push_str(&(string(text) + "\n"));
}
unsafe extern "C" fn annotate(step: *mut RawStep, note: *const RawNote) {
    inner(step).log.push_str(&(string((*note).message) + "\n"));
}
unsafe extern "C" fn group(_step: *mut RawStep, _title: *const c_char) {}
unsafe extern "C" fn mask(step: *mut RawStep, _secret: *const c_char) -> i32 {
    status(step)
}
unsafe extern "C" fn fail(step: *mut RawStep, why: i32, text: *const c_char) -> i32 {
    inner(step).failure = string(text);
    why
}
unsafe extern "C" fn last_error(step: *mut RawStep) -> *const c_char {
    keep(step, "")
}
unsafe extern "C" fn input(step: *mut RawStep, name: *const c_char) -> *const c_char {
    let value = inner(step).inputs.get(&string(name)).cloned();
    keep(step, &value.expect("only declared inputs are asked for"))
}
unsafe extern "C" fn input_list(
    step: *mut RawStep,
    name: *const c_char,
    items: *mut *const *const c_char,
) -> usize {
    let value = string(input(step, name));
    let lines: Vec<&str> = value.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let list = alloc(step, (lines.len() + 1) * 8) as *mut *const c_char;
    for (i, line) in lines.iter().enumerate() {
        *list.add(i) = keep(step, line);
    }
    *items = list;
    lines.len()
}
unsafe extern "C" fn context(_step: *mut RawStep, _name: *const c_char) -> *const c_char {
    std::ptr::null()
}
unsafe extern "C" fn output(step: *mut RawStep, name: *const c_char, value: *const c_char) -> i32 {
    let how = status(step);
    if how == OK {
        inner(step).outputs.insert(string(name), string(value));
    }
    how
}
unsafe extern "C" fn env(step: *mut RawStep, _name: *const c_char, _value: *const c_char) -> i32 {
    status(step)
}
unsafe extern "C" fn one_text(step: *mut RawStep, _text: *const c_char) -> i32 {
    status(step)
}
unsafe extern "C" fn save(step: *mut RawStep, name: *const c_char, value: *const c_char) -> i32 {
    let how = status(step);
    if how == OK {
        inner(step).saved.insert(string(name), string(value));
    }
    how
}
unsafe extern "C" fn saved(step: *mut RawStep, name: *const c_char) -> *const c_char {
    match inner(step).saved.get(&string(name)).cloned() {
        Some(value) => keep(step, &value),
        None => std::ptr::null(),
    }
}
unsafe extern "C" fn dir(step: *mut RawStep, _which: i32) -> *const c_char {
    keep(step, ".")
}
unsafe extern "C" fn temp(step: *mut RawStep, suffix: *const c_char) -> *const c_char {
    if !goes_well(step) {
        return std::ptr::null();
    }
    let name = format!("plugin-{}{}", std::process::id(), string(suffix));
    keep(step, &std::env::temp_dir().join(name).to_string_lossy())
}
unsafe extern "C" fn alloc(step: *mut RawStep, size: usize) -> *mut c_void {
    let blocks = &mut inner(step).blocks;
    blocks.push(vec![0; size / 8 + 1]);
    let last = blocks.len() - 1;
    blocks[last].as_mut_ptr() as *mut c_void
}
unsafe extern "C" fn exec(
    step: *mut RawStep,
    command: *const RawExec,
    result: *mut RawExecResult,
) -> i32 {
    let mut words = Vec::new();
    let mut word = (*command).argv;
    while !(*word).is_null() {
        words.push(string(*word));
        word = word.add(1);
    }
    if !goes_well(step) {
        return E_IO;
    }
    let answer = inner(step).answers.get(&words.join(" ")).cloned();
    let (exit_code, out) = answer.unwrap_or_default();
    if !result.is_null() {
        (*result).exit_code = exit_code;
        (*result).out = keep(step, &out);
        (*result).out_size = out.len();
    }
    if exit_code != 0 && (*command).flags & EXEC_CHECK != 0 {
        E_EXIT
    } else {
        OK
    }
}
unsafe extern "C" fn phase(_step: *mut RawStep) -> i32 {
    PHASE_MAIN
}
unsafe extern "C" fn cancelled(_step: *mut RawStep) -> i32 {
    0
}
unsafe extern "C" fn cancel_fd(_step: *mut RawStep) -> i32 {
    -1
}
unsafe extern "C" fn time_left_ms(_step: *mut RawStep) -> i64 {
    i64::MAX
}
unsafe extern "C" fn plan(
    step: *mut RawStep,
    _verb: *const c_char,
    _object: *const c_char,
    _detail: *const c_char,
) -> i32 {
    status(step)
}
unsafe extern "C" fn extension(_step: *mut RawStep, _id: *const c_char) -> *const c_void {
    std::ptr::null()
}

static HOST: RawHost = RawHost {
    struct_size: std::mem::size_of::<RawHost>() as u32,
    abi_minor: 0,
    log,
    annotate,
    group,
    mask,
    fail,
    last_error,
    input,
    input_list,
    context,
    output,
    env,
    path: one_text,
    summary: one_text,
    save,
    saved,
    dir,
    temp,
    alloc,
    exec,
    phase,
    cancelled,
    cancel_fd,
    time_left_ms,
    plan,
    extension,
};
