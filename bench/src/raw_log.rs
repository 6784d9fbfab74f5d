//! The ceiling: an append-only log with a map in memory, and the same group commit as the store's. It checks nothing,
//! knows no order and can read nothing back; whatever keeps its promises on this disk can hardly be faster.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    sync::mpsc::{self, Receiver, Sender},
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use tokio::sync::oneshot;

pub(crate) type Rows = Vec<(Bytes, Bytes)>;

pub(crate) struct RawLog {
    queue: Option<Sender<(Rows, oneshot::Sender<()>)>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl RawLog {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = log_file(path)?;
        let (queue, requests) = mpsc::channel();
        let thread = thread::Builder::new().name("raw-log".to_owned()).spawn(move || run(file, &requests))?;
        Ok(RawLog { queue: Some(queue), thread: Some(thread) })
    }

    pub(crate) async fn commit(&self, rows: Rows) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let (reply, done) = oneshot::channel();
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

fn run(mut file: File, requests: &Receiver<(Rows, oneshot::Sender<()>)>) -> io::Result<()> {
    let mut map = BTreeMap::new();
    let mut buffer = Vec::new();
    while let Ok(first) = requests.recv() {
        let mut batch = vec![first];
        batch.extend(requests.try_iter());
        buffer.clear();
        for (rows, _) in &batch {
            rows.iter().for_each(|row| encode(row, &mut buffer));
        }
        file.write_all(&buffer)?;
        file.sync_data()?;
        for (rows, reply) in batch {
            map.extend(rows);
            // Whoever asked may have gone away.
            let _ = reply.send(());
        }
    }
    Ok(())
}

pub(crate) fn encode((key, value): &(Bytes, Bytes), buffer: &mut Vec<u8>) {
    buffer.extend((key.len() as u32).to_le_bytes());
    buffer.extend((value.len() as u32).to_le_bytes());
    buffer.extend_from_slice(key);
    buffer.extend_from_slice(value);
}
