//! Scripts that hand out requests from a list.

use std::path::{Path, PathBuf};

use crate::failure::{Result, While as _};
use crate::node;

/// `wrk` makes all of its connections before the first request, which at thousands takes seconds,
/// and divides by all of its time. So the moments of the first request and of the end are written down.
const CLOCK: &str = r#"local ffi = require("ffi")
ffi.cdef("typedef struct { long seconds; long micros; } moment; int gettimeofday(moment *, void *);")
local function note(what)
  local moment = ffi.new("moment[1]")
  ffi.C.gettimeofday(moment, nil)
  local file = io.open("SCRIPT." .. what, "w")
  file:write(string.format("%.6f", tonumber(moment[0].seconds) + tonumber(moment[0].micros) / 1e6))
  file:close()
end
function done()
  note("ended")
end
function request()
  note("began")
  request = hand_out
  return hand_out()
end
"#;

/// At the end of the list it begins anew.
pub(super) const AGAIN: &str = "function hand_out()
  next = next % #requests + 1
  return requests[next]
end
";

/// At the end of the list the load ends, although `wrk` itself waits for the end of its time.
const ONCE: &str = r#"function hand_out()
  if next == #requests then
    note("exhausted")
    wrk.thread:stop()
    hand_out = function() return requests[#requests] end
    request = hand_out
    return requests[#requests]
  end
  next = next + 1
  return requests[next]
end
"#;

/// Writes the list and a script that makes each line a request: `request` is a term of `line` and
/// `host`, a header with its end. LuaJIT's hash of a long string looks at its beginning, its end,
/// its middle and its first quarter only, and strings of one hash cost it a search each: what differs between
/// requests must lie at one of these places, which is why the order of headers is not left to `wrk.format`.
pub(super) fn write(
    folder: &Path,
    name: &str,
    lines: &[String],
    request: &str,
    hand_out: &str,
) -> Result<PathBuf> {
    let list = folder.join(format!("{name}.list"));
    node::write(&list, &lines.join("\n"))?;
    let script = folder.join(format!("{name}.lua"));
    let text = format!(
        "local requests = {{}}\nlocal next = 0\n\
         function init(arguments)\n  \
         local host = \"Host: \" .. wrk.headers[\"Host\"] .. \"\\r\\n\"\n  for line in io.lines(\"{}\") do\n    \
         requests[#requests + 1] = {request}\n  end\nend\n{}{hand_out}",
        list.display(),
        clock(&script)
    );
    node::write(&script, &text)?;
    Ok(script)
}

/// The same script with another end.
pub(super) fn once(script: &Path) -> Result<PathBuf> {
    let once = script.with_extension("once.lua");
    let text = std::fs::read_to_string(script).at(script)?;
    let text = text
        .replace(AGAIN, ONCE)
        .replace(&clock(script), &clock(&once));
    node::write(&once, &text)?;
    Ok(once)
}

/// Forgets what an earlier load has noted.
pub(super) fn forget(script: &Path) -> Result<()> {
    for what in NOTES {
        let note = note(script, what);
        if note.exists() {
            std::fs::remove_file(&note).at(&note)?;
        }
    }
    Ok(())
}

/// Seconds from the first request to the end of the list or of the load; `None` when there was none.
pub(super) fn active_seconds(script: &Path) -> Option<f64> {
    let moment = |what| -> Option<f64> {
        let text = std::fs::read_to_string(note(script, what)).ok()?;
        text.trim().parse().ok()
    };
    let [began, exhausted, ended] = NOTES.map(moment);
    Some(exhausted.or(ended)? - began?).filter(|seconds| *seconds > 0.0)
}

const NOTES: [&str; 3] = ["began", "exhausted", "ended"];

fn note(script: &Path, what: &str) -> PathBuf {
    PathBuf::from(format!("{}.{what}", script.display()))
}

fn clock(script: &Path) -> String {
    CLOCK.replace("SCRIPT", &script.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(script: &Path, what: &str, moment: &str) {
        std::fs::write(note(script, what), moment).unwrap();
    }

    #[test]
    fn time_counts_from_the_first_request_to_the_end_of_the_list_or_of_the_load() {
        let folder = tempfile::tempdir().unwrap();
        let lines = ["/1".to_owned(), "/2".to_owned()];
        let script = write(folder.path(), "two", &lines, "line", AGAIN).unwrap();
        assert_eq!(active_seconds(&script), None);
        noted(&script, "began", "100.250000");
        assert_eq!(active_seconds(&script), None);
        noted(&script, "ended", "104.750000");
        assert_eq!(active_seconds(&script), Some(4.5));
        noted(&script, "exhausted", "101.250000");
        assert_eq!(active_seconds(&script), Some(1.0));
        forget(&script).unwrap();
        assert_eq!(active_seconds(&script), None);
    }

    #[test]
    fn a_script_that_ends_notes_it_beside_itself() {
        let folder = tempfile::tempdir().unwrap();
        let script = write(folder.path(), "one", &["/1".to_owned()], "line", AGAIN).unwrap();
        let once = once(&script).unwrap();
        let text = std::fs::read_to_string(&once).unwrap();
        assert!(text.contains("thread:stop()") && !text.contains(AGAIN));
        assert!(text.contains(&format!("\"{}.\"", once.display())), "{text}");
    }
}
