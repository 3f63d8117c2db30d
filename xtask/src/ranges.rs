//! Writes the address guard's tables from the special-purpose registries that lie beside it.
//!
//! The registries come as IANA's own files, so that a new one can be dropped in as it is. Everything in
//! them is refused, whatever its other columns say; the more specific block comes first, so that a
//! refusal has the more telling name.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;

const TABLE: &str = "crates/fetch/src/guard/ranges/registry.rs";
const REGISTRIES: [(&str, &str); 2] = [("V4", "ipv4.csv"), ("V6", "ipv6.csv")];

/// These are judged by the IPv4 address that they carry; the guard knows how.
const CARRIERS: [&str; 3] = ["::ffff:0:0/96", "64:ff9b::/96", "2002::/16"];

/// Writes the tables, formatted as they are checked in.
pub(crate) fn run(root: &Path) -> io::Result<ExitCode> {
    fs::write(root.join(TABLE), table(root)?)?;
    Ok(ExitCode::SUCCESS)
}

struct Block {
    address: IpAddr,
    prefix: u8,
    name: String,
    source: String,
}

fn table(root: &Path) -> io::Result<String> {
    let mut text = "\
//! The blocks of the special-purpose registries, written by `cargo xtask ranges`: change the registries.

use ipnet::{Ipv4Net, Ipv6Net};

use super::{v4, v6};
"
    .to_owned();
    for (name, file) in REGISTRIES {
        let registry = fs::read_to_string(root.join("crates/fetch/registry").join(file))?;
        let blocks = blocks(&registry).map_err(io::Error::other)?;
        let (net, make) = (format!("Ip{}Net", name.to_lowercase()), name.to_lowercase());
        let count = blocks.len();
        let _ = write!(
            text,
            "\n#[rustfmt::skip]\npub(super) const {name}: [({net}, &str); {count}] = [\n"
        );
        for block in blocks {
            let bits = match block.address {
                IpAddr::V4(address) => grouped(&format!("{:08x}", address.to_bits())),
                IpAddr::V6(address) => grouped(&format!("{:032x}", address.to_bits())),
            };
            let Block {
                prefix,
                name,
                source,
                ..
            } = block;
            let _ = writeln!(text, "    // {source}");
            let _ = writeln!(text, "    ({make}(0x{bits}, {prefix}), {name:?}),");
        }
        text.push_str("];\n");
    }
    Ok(text)
}

fn grouped(digits: &str) -> String {
    let groups: Vec<&str> = (0..digits.len())
        .step_by(4)
        .map(|at| &digits[at..at + 4])
        .collect();
    groups.join("_")
}

fn blocks(registry: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    for row in rows(registry).iter().skip(1) {
        let [cell, name, source, ..] = row.as_slice() else {
            return Err(format!("a row with too few columns: {row:?}"));
        };
        for block in cell.split(", ").filter(|it| !it.is_empty()) {
            // Behind the block may stand the number of a footnote.
            let block = block.split(' ').next().unwrap_or_default();
            let parsed = block.split_once('/').and_then(|(address, prefix)| {
                Some((address.parse().ok()?, prefix.parse::<u8>().ok()?))
            });
            let (address, prefix) = parsed.ok_or_else(|| format!("'{block}' is not a block"))?;
            if CARRIERS.contains(&block) {
                continue;
            }
            blocks.push(Block {
                address,
                prefix,
                name: name.replace('"', "").to_lowercase(),
                source: source.split_whitespace().collect::<Vec<_>>().join(" "),
            });
        }
    }
    blocks.sort_by_key(|block| (u8::MAX - block.prefix, block.address));
    Ok(blocks)
}

/// Comma-separated values with quoted cells, which may hold commas, quotes (doubled) and line ends.
fn rows(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            other => cell.push(other),
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guards_tables_are_what_the_registries_say() {
        let root = crate::workspace_root();
        let checked_in = fs::read_to_string(root.join(TABLE)).expect("the table is there");
        let written = table(&root).expect("the registries can be read");
        assert!(checked_in == written, "run `cargo xtask ranges`");
        for block in ["192.0.0.170", "255.255.255.255", "5f00::"] {
            let address: IpAddr = block.parse().expect("an address");
            let bits = match address {
                IpAddr::V4(address) => grouped(&format!("{:08x}", address.to_bits())),
                IpAddr::V6(address) => grouped(&format!("{:032x}", address.to_bits())),
            };
            assert!(written.contains(&bits), "{block}");
        }
    }

    #[test]
    fn a_block_that_cannot_be_read_is_an_error_and_not_a_hole() {
        let head = "Address Block,Name,RFC\n";
        for wrong in ["300.0.0.0/8,a,b\n", "10.0.0.0,a,b\n", "1.0.0.0/8\n"] {
            assert!(blocks(&format!("{head}{wrong}")).is_err(), "{wrong}");
        }
        let two = "\"1.0.0.0/8, 2.0.0.0/8 [3]\",\"a \"\"b\"\"\",\"c,\n d\"\n";
        let read = blocks(&format!("{head}{two}")).expect("two blocks");
        assert_eq!((read.len(), read[1].name.as_str()), (2, "a b"));
        assert_eq!(read[0].source, "c, d");
    }
}
