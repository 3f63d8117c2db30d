//! The edge with nothing behind it: one fixed answer, for measuring and for trying time-outs by hand.
//!
//! `cargo run --release -p corkboard-edge --example fixed_answer -- 127.0.0.1:8080 [BYTES] [CORES] [MODE]`
//!
//! `CORES` 0 (the default): one listener on one runtime with a thread for each core, as the node
//! has it. Above: so many single-threaded runtimes, each with a listener of its own
//! (`SO_REUSEPORT`). `MODE` is `admit` (admission control with its defaults), `full` (admission
//! control with a single place, which a request for `/hold` takes for ever, so that all others are
//! refused), `http2`, `lane` (answered on the short way), or nothing.

#![expect(clippy::print_stderr, reason = "a program for people at a terminal")]

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use corkboard_edge::{
    AdmissionOptions, Asked, Bearer, DrainReport, EdgeOptions, Lane, Passport, Priority, Reply,
    RequestBody, Verdict, listen, listen_shared, serve, termination,
};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

type BoxError = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next();
    let address = address.as_deref().unwrap_or("127.0.0.1:8080").parse()?;
    let bytes = arguments.next().map_or(Ok(140), |text| text.parse())?;
    let cores = arguments.next().map_or(Ok(0), |text| text.parse())?;
    let answer = Bytes::from(vec![b'x'; bytes]);
    let options = options(&arguments.next().unwrap_or_default(), &answer);

    let main = Builder::new_multi_thread().enable_all().build()?;
    let shutdown = CancellationToken::new();
    let (stop, end) = (shutdown.clone(), shutdown.clone());
    main.block_on(async move {
        let terminated = termination()?;
        let serving = async {
            let Some(cores) = NonZeroUsize::new(cores) else {
                let report = serve(listen(address)?, service(answer), options, shutdown).await;
                return Ok::<_, BoxError>(vec![report]);
            };
            on_cores(address, cores, &answer, &options, &shutdown, end).await
        };
        let stopping = async {
            terminated.await;
            stop.cancel();
        };
        let (reports, ()) = tokio::join!(serving, stopping);
        eprintln!("{:?}", reports?);
        Ok(())
    })
}

/// One thread, one runtime and one listener for each core.
async fn on_cores(
    address: SocketAddr,
    cores: NonZeroUsize,
    answer: &Bytes,
    options: &EdgeOptions,
    shutdown: &CancellationToken,
    end: CancellationToken,
) -> Result<Vec<DrainReport>, BoxError> {
    let mut threads = Vec::new();
    for listener in listen_shared(address, cores)? {
        let listener = listener.into_std()?;
        let (answer, options, shutdown) = (answer.clone(), options.clone(), shutdown.clone());
        threads.push(thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener)?;
                Ok::<_, BoxError>(serve(listener, service(answer), options, shutdown).await)
            })
        }));
    }
    end.cancelled().await;
    threads
        .into_iter()
        .map(|thread| thread.join().map_err(|_| "a thread panicked")?)
        .collect()
}

fn service(
    answer: Bytes,
) -> impl tower::Service<
    Request<RequestBody>,
    Response = Response<Full<Bytes>>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ 'static {
    tower::service_fn(move |request: Request<RequestBody>| {
        let answer = answer.clone();
        async move {
            if request.uri().path() == "/hold" {
                std::future::pending::<()>().await;
            }
            Ok(Response::new(Full::new(answer)))
        }
    })
}

fn options(mode: &str, answer: &Bytes) -> EdgeOptions {
    let admission = AdmissionOptions::new(inspect);
    let full = AdmissionOptions {
        min_in_flight: 1,
        max_in_flight: 1,
        max_waiting: 0,
        ..admission.clone()
    };
    EdgeOptions {
        max_connections: 18_000,
        admission: match mode {
            "admit" => Some(admission),
            "full" => Some(full),
            _ => None,
        },
        lane: (mode == "lane").then(|| Arc::new(Fixed(answer.clone())) as Arc<dyn Lane>),
        http2: mode == "http2",
        ..EdgeOptions::default()
    }
}

#[derive(Debug)]
struct Fixed(Bytes);

impl Lane for Fixed {
    fn at_once(&self, _: &Asked<'_>, reply: Reply<'_>) -> Verdict {
        reply.begin(StatusCode::OK).body(&self.0)
    }
}

fn inspect(bearer: &Bearer<'_>) -> Passport {
    Passport::new(Priority::Read, bearer.path.as_bytes())
}
