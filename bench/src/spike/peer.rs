//! What else one would build, each as well set up as we know how.

mod django;
mod fixed;
mod lua;
mod refusing;

pub(crate) use django::{Django, Ladder, VERSIONS};
pub(crate) use fixed::Fixed;
pub(crate) use lua::Lua;
pub(crate) use refusing::Refusing;

use std::path::Path;

/// Everything of an nginx but its servers: one worker, room for the largest step, no log of requests.
fn nginx(folder: &Path, modules: &str, http: &str) -> String {
    // As root the worker would change to a user who may not read our folder.
    let user = if rustix::process::getuid().is_root() {
        "user root;\n"
    } else {
        ""
    };
    let folder = folder.display();
    format!(
        "{modules}{user}daemon off;\nworker_processes 1;\nworker_rlimit_nofile 20000;\n\
         pid {folder}/nginx.pid;\nerror_log {folder}/error.log warn;\n\
         events {{ worker_connections 19000; multi_accept on; }}\n\
         http {{\n  access_log off; server_tokens off; tcp_nodelay on;\n\
         \x20 keepalive_timeout 75s; keepalive_requests 1000000000;\n\
         \x20 default_type application/json;\n\
         \x20 client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2;\n\
         \x20 fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;\n\
         {http}}}\n"
    )
}
