//! The whole client against servers that follow a script, over real sockets.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use tokio::time::Instant;

use super::*;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

fn load(server: SocketAddr, per_second: f64, lasts: Duration) -> Load {
    let steps = vec![Step { per_second, lasts }];
    let arrivals = Arrivals::Even;
    Load {
        connections: 1,
        // A machine that is busy for a while makes nothing late here.
        deadline: Duration::from_secs(60),
        ..Load::new(
            server,
            Arc::new(vec![get("/", None)]),
            Profile { steps, arrivals },
        )
    }
}

/// A server for one connection: reads a request, then does what the script says with its number.
fn server(script: impl Fn(usize, &mut std::net::TcpStream) -> bool + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut number = 0;
        while let Ok((mut stream, _)) = listener.accept() {
            let mut request = [0; 4096];
            while stream.read(&mut request).is_ok_and(|bytes| bytes > 0) {
                number += 1;
                if !script(number, &mut stream) {
                    break;
                }
            }
        }
    });
    address
}

#[tokio::test]
async fn what_waits_before_a_stalled_server_is_counted() {
    let stall = Duration::from_millis(400);
    let address = server(move |number, stream| {
        if number == 50 {
            // The script's own time: the server stands still, and nothing waits for it to pass.
            let until = Instant::now() + stall;
            while Instant::now() < until {
                thread::park_timeout(until - Instant::now());
            }
        }
        stream.write_all(ANSWER).is_ok()
    });
    let load = load(address, 200.0, Duration::from_secs(1));
    let tally = load.run().await.unwrap();
    let step = &tally.steps[0];
    assert_eq!((step.offered, step.ok), (200, 200));
    // 80 were due while it stood still. One alone was sent to it meanwhile.
    let slow = step.accepted.quantile(0.70);
    assert!(slow >= Duration::from_millis(80), "{slow:?}");
    assert!(
        step.accepted.longest() >= stall,
        "{:?}",
        step.accepted.longest()
    );
}

#[tokio::test]
async fn a_connection_closed_between_requests_fails_none() {
    let address = server(|number, stream| stream.write_all(ANSWER).is_ok() && number % 10 != 0);
    let tally = load(address, 200.0, Duration::from_millis(500))
        .run()
        .await
        .unwrap();
    let step = &tally.steps[0];
    assert_eq!((step.ok, step.failed), (100, 0), "{step:?}");
}

#[tokio::test]
async fn an_answer_cut_off_is_a_failure() {
    let address = server(|number, stream| {
        let cut = number == 5;
        let end = if cut { ANSWER.len() - 1 } else { ANSWER.len() };
        stream.write_all(&ANSWER[..end]).is_ok() && !cut
    });
    let tally = load(address, 100.0, Duration::from_millis(200))
        .run()
        .await
        .unwrap();
    assert_eq!((tally.steps[0].ok, tally.steps[0].failed), (19, 1));
}

#[tokio::test]
async fn nobody_there_ends_the_run() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut load = load(address, 1.0, Duration::from_secs(1));
    load.source = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let run = tokio::time::timeout(Duration::from_millis(100), load.run());
    assert!(run.await.is_err(), "it goes on trying until it is dropped");
}

#[tokio::test]
async fn an_answer_without_its_mark_is_somebody_elses() {
    let address = server(|_, stream| stream.write_all(ANSWER).is_ok());
    let both = ["/hi", "/ho"].map(|path| get(path, None));
    let load = Load {
        requests: Arc::new(both.to_vec()),
        marks: Arc::new(vec!["hi".to_owned(), "ho".to_owned()]),
        ..load(address, 200.0, Duration::from_millis(500))
    };
    let step = &load.run().await.unwrap().steps[0];
    assert_eq!((step.ok, step.foreign, step.disorderly()), (50, 50, 50));
}
