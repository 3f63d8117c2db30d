//! Scripts that hand out requests from a list.

use std::path::{Path, PathBuf};

use crate::failure::{Result, While as _};
use crate::node;

/// At the end of the list it begins anew.
pub(super) const AGAIN: &str = "function request()
  next = next % #requests + 1
  return requests[next]
end
";

/// At the end of the list the load ends. Its time is written down, because `wrk` itself waits for
/// the end of the time that it was given.
const ONCE: &str = r#"local ffi = require("ffi")
ffi.cdef("typedef struct { long seconds; long micros; } moment; int gettimeofday(moment *, void *);")
local function now()
  local moment = ffi.new("moment[1]")
  ffi.C.gettimeofday(moment, nil)
  return tonumber(moment[0].seconds) + tonumber(moment[0].micros) / 1e6
end
local began
function request()
  began = began or now()
  if next == #requests then
    next = next + 1
    local file = io.open("TOOK", "w")
    file:write(now() - began)
    file:close()
    wrk.thread:stop()
  end
  next = math.min(next + 1, #requests)
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
         requests[#requests + 1] = {request}\n  end\nend\n{hand_out}",
        list.display()
    );
    node::write(&script, &text)?;
    Ok(script)
}

/// The same script with another end, and nothing written down yet.
pub(super) fn once(script: &Path) -> Result<PathBuf> {
    let once = script.with_extension("once.lua");
    let took = took_at(&once);
    let text = std::fs::read_to_string(script).at(script)?;
    let text = text.replace(AGAIN, &ONCE.replace("TOOK", &took.display().to_string()));
    node::write(&once, &text)?;
    // Of an earlier load.
    if took.exists() {
        std::fs::remove_file(&took).at(&took)?;
    }
    Ok(once)
}

/// Seconds from the first request to the last; `None` when the list was not asked to its end.
pub(super) fn took(once: &Path) -> Option<f64> {
    let text = std::fs::read_to_string(took_at(once)).ok()?;
    text.trim().parse().ok().filter(|seconds| *seconds > 0.0)
}

fn took_at(once: &Path) -> PathBuf {
    once.with_extension("took")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_ends_has_forgotten_how_long_it_took_before() {
        let folder = tempfile::tempdir().unwrap();
        let lines = ["/1".to_owned(), "/2".to_owned()];
        let script = write(folder.path(), "two", &lines, "line", AGAIN).unwrap();
        let first = once(&script).unwrap();
        std::fs::write(took_at(&first), "1.5").unwrap();
        assert_eq!(took(&first), Some(1.5));
        let text = std::fs::read_to_string(once(&script).unwrap()).unwrap();
        assert!(
            text.contains("thread:stop()") && !text.contains("TOOK"),
            "{text}"
        );
        assert_eq!(took(&first), None);
    }
}
