//! Where Redis is, and how each of its servers is connected to.

use redis::aio::{AsyncPushSender, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _,
    ProtocolVersion, RedisResult,
};

use super::RedisOptions;
use super::doubt;

/// Commands on one connection at a time; more are refused by their time-out.
const IN_FLIGHT: usize = 4_096;
/// Written together in one system call, at most.
const WRITE_BYTES: usize = 64 * 1024;

#[derive(Debug, Clone)]
pub(super) struct Address {
    info: ConnectionInfo,
    options: RedisOptions,
}

impl Address {
    pub(super) fn parse(url: &str, options: &RedisOptions) -> RedisResult<Self> {
        let info = url.into_connection_info()?;
        if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            // Another provider installed before this one is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let settings = info.redis_settings().clone();
        let settings = settings.set_protocol(ProtocolVersion::RESP3);
        Ok(Self {
            info: info.set_redis_settings(settings),
            options: options.clone(),
        })
    }

    /// The same installation at another host: a server of the Cluster.
    pub(super) fn at(&self, host: &str, port: u16) -> Self {
        let addr = match self.info.addr() {
            ConnectionAddr::TcpTls {
                insecure,
                tls_params,
                ..
            } => ConnectionAddr::TcpTls {
                host: host.to_owned(),
                port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            },
            _ => ConnectionAddr::Tcp(host.to_owned(), port),
        };
        Self {
            info: self.info.clone().set_addr(addr),
            options: self.options.clone(),
        }
    }

    /// The host in the URL: a Cluster whose servers do not know their own names means that one.
    pub(super) fn host(&self) -> String {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host.clone(),
            _ => "localhost".to_owned(),
        }
    }

    /// A connection for data.
    pub(super) async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let config = self
            .config()
            .set_response_timeout(Some(doubt::longest(self.options.timeout)));
        self.connect_with(&config).await
    }

    /// A connection to listen on; `heard` is called for every push, in order.
    pub(super) async fn listen(
        &self,
        heard: impl AsyncPushSender,
    ) -> RedisResult<MultiplexedConnection> {
        let config = self
            .config()
            .set_response_timeout(Some(self.options.beat_timeout))
            .set_push_sender(heard);
        self.connect_with(&config).await
    }

    /// All servers of a Cluster as one, found by asking this one.
    pub(super) async fn connect_cluster(&self) -> RedisResult<ClusterConnection> {
        ClusterClient::builder([self.info.clone()])
            .response_timeout(doubt::longest(self.options.timeout))
            .connection_timeout(self.options.connect)
            .connection_concurrency_limit(IN_FLIGHT)
            .write_backpressure_boundary(WRITE_BYTES)
            .retries(2)
            .max_retry_wait(20)
            .min_retry_wait(5)
            .build()?
            .get_async_connection()
            .await
    }

    fn config(&self) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.options.connect))
            .set_concurrency_limit(IN_FLIGHT)
            .set_write_backpressure_boundary(WRITE_BYTES)
    }

    async fn connect_with(
        &self,
        config: &AsyncConnectionConfig,
    ) -> RedisResult<MultiplexedConnection> {
        Client::open(self.info.clone())?
            .get_multiplexed_async_connection_with_config(config)
            .await
    }
}
