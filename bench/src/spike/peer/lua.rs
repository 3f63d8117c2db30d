//! nginx with Lua and Redis: the fastest thing one would assemble from parts.

use std::path::Path;

use crate::Setting;
use crate::failure::{Result, While as _};
use crate::nginx::Nginx;
use crate::node::free_port;
use crate::spike::SERVER_CPU;
use crate::spike::redis::Redis;

/// Where Debian's packages `libnginx-mod-http-lua` and `lua-nginx-redis` put them.
const MODULES: &str = "load_module /usr/lib/nginx/modules/ndk_http_module.so;\nload_module /usr/lib/nginx/modules/ngx_http_lua_module.so;\n";
/// Values that are set in one go.
const BATCH: usize = 1_000;

/// nginx and the Redis behind it, which holds the ready answer under each path: a string, which is
/// the least there is to ask for.
#[derive(Debug)]
pub(crate) struct Lua {
    nginx: Nginx,
    redis: Redis,
}

impl Lua {
    /// `body` is the answer to the first path; the others differ in their number only.
    pub(crate) async fn start(setting: &Setting, paths: &[String], body: &[u8]) -> Result<Self> {
        let folder = setting.scratch.join("nginx-lua");
        std::fs::create_dir(&folder).at(&folder)?;
        let redis = Redis::start(setting, "redis-lua").await?;
        let body_text = String::from_utf8_lossy(body);
        let id_of = |path: &str| path.split('/').nth(2).unwrap_or_default().to_owned();
        let first = paths.first().map_or_else(String::new, |path| id_of(path));
        for paths in paths.chunks(BATCH) {
            let sets: Vec<[String; 3]> = paths
                .iter()
                .map(|path| {
                    let value = body_text.replace(&first, &id_of(path));
                    ["SET".to_owned(), path.clone(), value]
                })
                .collect();
            let commands: Vec<&[String]> = sets.iter().map(<[String; 3]>::as_slice).collect();
            redis.ask(&commands).await?;
        }
        let port = free_port()?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("spike/value.lua");
        let http = format!(
            "  lua_package_path '/usr/share/lua/5.1/?.lua;;';\n\
             \x20 server {{ listen 127.0.0.1:{port} backlog=4096;\n\
             \x20   location / {{ set $redis_port {}; content_by_lua_file {}; }} }}\n",
            redis.port(),
            script.display()
        );
        let text = super::nginx(&folder, MODULES, &http);
        let path = paths.first().map_or("/", String::as_str);
        let nginx = Nginx::run(&folder, &text, &[(port, path, body)], SERVER_CPU).await?;
        Ok(Self { nginx, redis })
    }

    pub(crate) fn base(&self) -> String {
        self.nginx.base()
    }

    pub(crate) fn worker(&self) -> u32 {
        self.nginx.worker()
    }

    pub(crate) fn redis(&self) -> &Redis {
        &self.redis
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.nginx.stop().await?;
        self.redis.stop().await
    }
}
