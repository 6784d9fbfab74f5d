//! The ceiling: an append-only log with a map in memory, and the same group commit as the store's: a flush is shared by
//! those who wait for it, and waits a moment for those who were there around the last one. It checks nothing and
//! can read nothing back; whatever keeps its promises on this disk can hardly be faster.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::store::now;

pub(crate) type Rows = Vec<(Bytes, Bytes)>;

type Request = (Rows, oneshot::Sender<()>);

pub(crate) struct RawLog {
    queue: Option<Sender<Request>>,
    waiting: Arc<AtomicUsize>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl RawLog {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = log_file(path)?;
        let (queue, requests) = mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let thread = thread::Builder::new().name("raw-log".to_owned()).spawn({
            let waiting = waiting.clone();
            move || run(file, &requests, &waiting)
        })?;
        Ok(RawLog { queue: Some(queue), waiting, thread: Some(thread) })
    }

    pub(crate) async fn commit(&self, rows: Rows) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let (reply, done) = oneshot::channel();
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.queue.as_ref().expect("is open").send((rows, reply)).map_err(|_| "the log has failed")?;
        Ok(done.await?)
    }
}

impl Drop for RawLog {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// With room made beforehand, as journals have it: an append then changes no length.
pub(crate) fn log_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.set_len(64 << 20)?;
    file.sync_all()?;
    Ok(file)
}

fn run(mut file: File, requests: &Receiver<Request>, waiting: &AtomicUsize) -> io::Result<()> {
    let mut map = BTreeMap::new();
    let mut buffer = Vec::new();
    let (mut crowd, mut flush) = (0, Duration::ZERO);
    while let Ok(first) = requests.recv() {
        let batch = gather(first, requests, crowd, (flush / 4).min(Duration::from_millis(2)));
        waiting.fetch_sub(batch.len(), Ordering::Relaxed);
        buffer.clear();
        for (rows, _) in &batch {
            rows.iter().for_each(|row| encode(row, &mut buffer));
        }
        let start = now();
        file.write_all(&buffer)?;
        file.sync_data()?;
        flush = start.elapsed();
        crowd = batch.len() + waiting.load(Ordering::Relaxed);
        for (rows, reply) in batch {
            map.extend(rows);
            // Whoever asked may have gone away.
            let _ = reply.send(());
        }
    }
    Ok(())
}

fn gather(first: Request, requests: &Receiver<Request>, crowd: usize, patience: Duration) -> Vec<Request> {
    let mut batch = vec![first];
    let mut until = None;
    loop {
        batch.extend(requests.try_iter());
        if batch.len() >= crowd {
            return batch;
        }
        let until = until.get_or_insert_with(|| now() + patience);
        match requests.recv_timeout(until.saturating_duration_since(now())) {
            Ok(request) => batch.push(request),
            Err(_) => return batch,
        }
    }
}

pub(crate) fn encode((key, value): &(Bytes, Bytes), buffer: &mut Vec<u8>) {
    buffer.extend((key.len() as u32).to_le_bytes());
    buffer.extend((value.len() as u32).to_le_bytes());
    buffer.extend_from_slice(key);
    buffer.extend_from_slice(value);
}
