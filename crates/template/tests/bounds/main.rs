//! Hostile inputs end in little time and little memory, with the limits that every card has; and ten
//! thousand renders that wait for a fetch hold little, too.
//!
//! A program of its own with one test, so that what the process holds at its peak is what one input
//! took. The times are those that the thread computed, so that a busy machine does not matter; an
//! unoptimised build may take more of it.

#![expect(clippy::print_stdout, reason = "what was measured is worth reading")]

use std::collections::BTreeMap;
use std::fs;

use corkboard_template::{Data, Limits, Machine, Partials, Scope, Step, Template};

const MILLISECONDS: u64 = if cfg!(debug_assertions) { 3_000 } else { 100 };
const MEMORY: u64 = 32 << 20;

/// Nanoseconds that this thread has computed.
fn computed() -> Option<u64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok()
}

/// A line of the process's status, in bytes.
fn status(name: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line
        .trim_start_matches(':')
        .trim()
        .split(' ')
        .next()?
        .parse()
        .ok()?;
    Some(kibibytes << 10)
}

/// Outcome, milliseconds and bytes of compiling and rendering. None where they cannot be measured.
fn measured(source: &str, partials: &Partials, data: &Data) -> Option<(String, u64, u64)> {
    // Lets the peak begin anew.
    fs::write("/proc/self/clear_refs", "5").ok()?;
    let (held, started) = (status("VmRSS")?, computed()?);
    let limits = Limits::default();
    let outcome = Template::compile_with(source, partials, &limits).and_then(|template| {
        let scope = Scope::new().with_globals(data.clone());
        let mut machine = Machine::start(&template, scope, &limits);
        machine.run()
    });
    let (peak, ended) = (status("VmHWM")?, computed()?);
    let outcome = match outcome {
        Ok(Step::Done) => "done".to_owned(),
        Ok(other) => format!("{other:?}"),
        Err(error) => error.code.to_owned(),
    };
    Some((
        outcome,
        (ended - started) / 1_000_000,
        peak.saturating_sub(held),
    ))
}

/// `what` around `inner`, some times.
fn nested(times: usize, open: &str, inner: &str, close: &str) -> String {
    format!("{}{inner}{}", open.repeat(times), close.repeat(times))
}

fn inputs() -> Vec<String> {
    let mut all: Vec<String> = [
        "{% for i in (1..1000000000) %}{% endfor %}",
        "{% for i in (1..1000000000) %}x{% endfor %}",
        "{{ (1..1000000000) | join: ',' }}",
        "{{ (1..900000) | reverse | size }}",
        "{{ (1..900000) | map: 'x' | size }}",
        "{% tablerow i in (1..1000000000) cols: 3 %}{{ i }}{% endtablerow %}",
        "{% assign s = 'xxxxxxxxxxxxxxxx' %}{% for i in (1..60) %}{% assign s = s | append: s %}{% endfor %}",
        "{% assign s = 'xxxxxxxxxxxxxxxx' %}{% for i in (1..60) %}{% assign s = s | replace: 'x', s %}{% endfor %}",
        "{% assign s = 'xxxxxxxxxxxxxxxx' %}{% for i in (1..17) %}{% assign s = s | append: s %}{% endfor %}{{ s | split: '' | size }}",
        "{% assign s = 'a b ' %}{% for i in (1..17) %}{% assign s = s | append: s %}{% endfor %}{{ s | split: ' ' | uniq | size }}",
        "{% assign l = 'a,b,c,d' | split: ',' %}{% for i in (1..60) %}{% assign l = l | concat: l %}{% endfor %}",
        "{% capture s %}xxxxxxxxxx{% endcapture %}{% for i in (1..60) %}{% capture s %}{{ s }}{{ s }}{% endcapture %}{% endfor %}",
        "{{ 99999999999999999999 }}{{ 99999999999999999999 | times: 99999999999999999999 }}",
        "{{ -9223372036854775808 | divided_by: -1 }}{{ 9223372036854775807 | plus: 1 }}{{ 9223372036854775807 | times: 2 }}",
        "{% tablerow i in (1..3) cols: 0 %}{{ i }}{% endtablerow %}",
        "{% for i in (-9223372036854775808..9223372036854775807) %}{% endfor %}",
        "{% comment %}{% if %}{% for x in %}{{ | }}{% endcomment %}",
        "{% render 'self' %}",
        "{% include 'self_include' %}",
        "{% render 'fork' %}",
        "{% include 'fork_include' %}",
        "{% include 'both' %}",
        "{% for i in (1..100000) %}{{ 'now' | time_zone: 'Europe/Zurich' | date: '%c %Z %s' | hmac_sha256: 'key' }}{% endfor %}",
        "{% for i in (1..1000000) %}{% assign j = '{\"a\":[1,2,3]}' | json_parse %}{% endfor %}",
        "{% for i in (1..1000000) %}{% assign f = 1.1 | times: 2.7 | divided_by: 3.3 | round: 3 %}{% endfor %}",
        "{% for i in (1..1000000) %}{% cycle i: 'a', 'b' %}{% endfor %}",
        "{% for i in (1..1000000) %}{% increment i %}{% endfor %}",
        "{{ list | sort | size }}{{ list | sort_natural | size }}{{ list | uniq | size }}",
        "{{ list }}{{ list | json }}{{ list | join: ', ' | size }}",
        "{% for i in list %}{% if list contains i %}{% endif %}{% endfor %}",
        "{{ s | strip_html | escape | url_encode | base64_encode | size }}",
        "{{ s | upcase | downcase | capitalize | truncatewords: 100000 | size }}",
    ]
    .map(str::to_owned)
    .to_vec();
    for depth in [100, 1_000, 1_500, 5_000] {
        all.push(nested(depth, "{% if true %}", "x", "{% endif %}"));
        all.push(nested(depth, "{% for i in (1..2) %}", "x", "{% endfor %}"));
    }
    let three = "{% for a in (1..2000) %}{% for b in (1..2000) %}{% for c in (1..2000) %}";
    all.push(format!("{three}{}", "{% endfor %}".repeat(3)));
    for count in [5_000, 20_000] {
        all.push(format!(
            "{{% if true{} %}}y{{% endif %}}",
            " and true".repeat(count)
        ));
        all.push(format!("{{{{ {} }}}}", "a[".repeat(count)));
        all.push(format!("{{{{ 'a'{} }}}}", " | upcase".repeat(count)));
    }
    for count in [1_000, 5_000, 20_000, 60_000] {
        all.push(format!("a{}b", " ".repeat(count)));
        all.push(format!(
            "{{{{{}a{}}}}}",
            "\n".repeat(count / 2),
            " ".repeat(count / 2)
        ));
        all.push(format!("{{% if{}true %}}{{% endif %}}", "\n".repeat(count)));
        all.push("{{ ".repeat(count / 3));
        all.push("{% if a %}".repeat(count / 10));
        all.push("{% assign x = ".repeat(count / 14));
        all.push(format!(
            "{{% comment %}}{}",
            "{% comment %}".repeat(count / 13)
        ));
    }
    all
}

/// One test for both, so that neither measures the other.
#[test]
fn hostile_inputs_and_waiting_renders_stay_in_their_bounds() {
    waiting_renders_hold_little();
    hostile_inputs_end_in_time_and_in_little_memory();
}

/// Ten thousand renders that wait for a fetch, each with the data of its user.
fn waiting_renders_hold_little() {
    let source = "Hi {{ user.name }}, {% connected_content https://x.test/{{ user.id }} :save r %}\
                  {% for o in user.orders %}{{ o.name }} {{ r.price }}{% endfor %}";
    let limits = Limits::default();
    let template = Template::compile(source, &limits).expect("compiles");
    let orders = r#"{"name":"Copper pan","price":19.5},"#.repeat(9);
    let Some(before) = status("VmRSS") else {
        return;
    };
    let waiting: Vec<Machine> = (0..10_000)
        .map(|id| {
            let user = format!(r#"{{"id":{id},"name":"Ada","orders":[{orders}{{}}]}}"#);
            let user = Data::from_slice(user.as_bytes()).expect("JSON");
            let scope = Scope::new().with("user", user);
            let mut machine = Machine::start(&template, scope, &limits);
            assert!(matches!(machine.run(), Ok(Step::Fetch(_))), "it fetches");
            machine
        })
        .collect();
    let held = status("VmRSS").expect("read before").saturating_sub(before);
    println!("{} waiting renders hold {} KiB", waiting.len(), held >> 10);
    assert!(held <= 64 << 20, "{held} bytes");
}

fn hostile_inputs_end_in_time_and_in_little_memory() {
    let named = [
        ("self", "{% render 'self' %}"),
        ("self_include", "x{% include 'self_include' %}"),
        ("fork", "{% render 'fork' for (1..9) %}"),
        (
            "fork_include",
            "{% for i in (1..9) %}{% include 'fork_include' %}{% endfor %}",
        ),
        (
            "both",
            "{% for i in (1..9) %}{% case i %}{% when i %}{% include 'wide' %}{% endcase %}{% endfor %}",
        ),
        (
            "wide",
            "{% for i in (1..100000) %}{% render 'leaf', a: i %}{% endfor %}",
        ),
        ("leaf", "{{ a }}"),
    ];
    let partials = Partials {
        templates: BTreeMap::from(named.map(|(name, source)| (name.to_owned(), source.to_owned()))),
        ..Partials::default()
    };
    let numbers: Vec<String> = (0..100_000)
        .map(|i| (i * 7_919 % 100_003).to_string())
        .collect();
    let text = "<b>é & \\\"q\\\" <!-- \\n".repeat(20_000);
    let data = format!(r#"{{"list":[{}],"s":"{text}"}}"#, numbers.join(","));
    let data = Data::from_slice(data.as_bytes()).expect("JSON");
    for source in inputs() {
        let shown: String = source.chars().take(90).collect();
        let Some((outcome, milliseconds, bytes)) = measured(&source, &partials, &data) else {
            println!("this host does not say what a thread takes: nothing is measured");
            return;
        };
        println!(
            "{milliseconds:5} ms {:6} KiB {outcome:18} {shown:?}",
            bytes >> 10
        );
        assert!(milliseconds <= MILLISECONDS, "{shown}: {milliseconds} ms");
        assert!(bytes <= MEMORY, "{shown}: {bytes} bytes");
    }
}
