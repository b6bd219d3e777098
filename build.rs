//! Puts the widget's built files into the binary, so that a node is one file to copy.

use std::{env, fmt::Write as _, fs, path::Path};

/// Path under `widget/dist`, URL path, media type.
const FILES: [(&str, &str, &str); 9] = [
    ("consult-room.js", "/widget/consult-room.js", "text/javascript; charset=utf-8"),
    ("pages/embed.html", "/embed/{tenant}", "text/html; charset=utf-8"),
    ("pages/embed.js", "/pages/embed.js", "text/javascript; charset=utf-8"),
    ("pages/guest.html", "/guest", "text/html; charset=utf-8"),
    ("pages/guest.js", "/pages/guest.js", "text/javascript; charset=utf-8"),
    ("pages/pages.css", "/pages/pages.css", "text/css; charset=utf-8"),
    ("portal/index.html", "/portal/", "text/html; charset=utf-8"),
    ("portal/portal.js", "/portal/portal.js", "text/javascript; charset=utf-8"),
    ("portal/portal.css", "/portal/portal.css", "text/css; charset=utf-8"),
];

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let dist = Path::new(&root).join("widget/dist");
    println!("cargo:rerun-if-changed={}", dist.display());
    let mut table = String::from("&[\n");
    for (file, url, media_type) in FILES {
        let path = dist.join(file);
        println!("cargo:rerun-if-changed={}", path.display());
        if path.exists() {
            let _ = writeln!(table, "    ({url:?}, {media_type:?}, include_bytes!({path:?})),");
        } else {
            println!(
                "cargo:warning=widget/dist/{file} is not built: this binary serves no {url} (run `make widget`)"
            );
        }
    }
    table.push(']');
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("widget_files.rs");
    fs::write(out, table).expect("the build folder can be written");
}
