//! @NAME@ - greets somebody from the system that the job runs on. Put what your plugin does in its place.

mod ostler;
#[cfg(test)]
mod host;

use ostler::{Command, Failure, Input, Output, Plugin, Step};

static INPUTS: [Input; 2] = [
    Input::text(text!("who"), text!("Whom to greet")).default(text!("world")),
    Input::boolean(text!("loud"), text!("Shout")).default(text!("false")),
];
static OUTPUTS: [Output; 1] = [Output::new(text!("greeting"), text!("What was said"))];

fn greet(step: &Step) -> Result<(), Failure> {
    let system = step.exec(&Command::new(&["uname", "-s"]).check().capture().quiet())?;
    let end = if step.input("loud") == "true" { "!" } else { "." };
    let text = format!("Hello, {}, from {}{}", step.input("who"), system.out, end);

    step.info(&text);
    step.output("greeting", &text)
}

/// What the host calls; nothing is thrown at it.
extern "C" fn main_phase(step: *mut ostler::RawStep) -> i32 {
    ostler::run(step, greet)
}

/// The one symbol that is exported.
#[no_mangle]
#[allow(non_upper_case_globals)]
pub static ostler_plugin_v1: Plugin = Plugin::new(
    text!("@OWNER@/@NAME@"),
    text!(env!("CARGO_PKG_VERSION")),
    text!("Greets somebody"),
    main_phase,
)
.inputs(&INPUTS)
.outputs(&OUTPUTS)
.effects_via_host();

#[cfg(test)]
mod tests {
    use super::*;
    use host::Host;

    fn prepared() -> Host {
        let mut host = Host::new(&ostler_plugin_v1);
        host.on_exec("uname -s", 0, "Linux");
        host
    }

    #[test]
    fn greets_the_world() {
        let mut host = prepared();
        assert_eq!(host.run(main_phase), ostler::OK);
        assert_eq!(host.output("greeting").as_deref(), Some("Hello, world, from Linux."));
    }

    #[test]
    fn shouts() {
        let mut host = prepared();
        host.with("who", "Ada");
        host.with("loud", "true");
        assert_eq!(host.run(main_phase), ostler::OK);
        assert_eq!(host.output("greeting").as_deref(), Some("Hello, Ada, from Linux!"));
    }

    #[test]
    fn gives_up_when_the_command_does() {
        let mut host = prepared();
        host.on_exec("uname -s", 1, "");
        assert_eq!(host.run(main_phase), ostler::E_EXIT);
        assert_eq!(host.output("greeting"), None);
    }

    #[test]
    fn survives_every_fault() {
        for nth in 1.. {
            let mut host = prepared();
            host.fault(nth);
            let status = host.run(main_phase);
            if !host.struck() {
                assert_eq!(status, ostler::OK);
                break;
            }
            assert!(status < 0, "call {} failed, and nobody was told", nth);
        }
    }
}
