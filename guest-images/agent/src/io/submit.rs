//! The system calls of the I/O under test.

use super::Progress;
use super::buffer::Buffer;
use super::stacks::Tasks;
use halfway_protocol::io::{Op, Path};
use halfway_protocol::limits::REQUESTS;
use rustix::thread::{CpuSet, sched_setaffinity};
use std::fs::File;
use std::io;
use std::mem::{MaybeUninit, zeroed};
use std::os::fd::{AsRawFd, RawFd};
use std::ptr::null_mut;
use std::sync::Barrier;
use std::thread;

/// The size of a sector, in bytes.
const SECTOR: u64 = 512;

/// For each request: its result in bytes, or the errno, and how many interventions of the
/// harness came before it completed.
pub type Results = Vec<(Result<u64, i32>, u32)>;

/// Does the I/O. Counts completed requests in `progress`, and enters waiting tasks in
/// `tasks`. `queues` is kept for the next I/O.
pub fn submit(
    queues: &mut Vec<Queue>,
    file: &File,
    buffer: &Buffer,
    progress: &Progress,
    tasks: &Tasks,
) -> Results {
    let request = &buffer.request;
    let queued = matches!(request.op, Op::Read | Op::Write);
    if queued && request.path == Path::Direct && request.ops.len() > 1 {
        let submitters = (request.submitters.max(1) as usize).min(request.ops.len());
        while queues.len() < submitters {
            match Queue::new() {
                Ok(new) => queues.push(new),
                Err(error) => return vec![(Err(errno(&error)), 0); request.ops.len()],
            }
        }
        let all: Vec<usize> = (0..request.ops.len()).collect();
        return match &queues[..submitters] {
            [queue] => queue.submit(file, buffer, &all, progress),
            several => together(several, file, buffer, progress, tasks),
        };
    }
    (0..request.ops.len())
        .map(|index| {
            let result = one(file.as_raw_fd(), buffer, index);
            let after = progress.one_completed();
            (result.map_err(|error| errno(&error)), after)
        })
        .collect()
}

/// Does the I/O in one thread for each queue. All threads begin at the same time; of n
/// threads, each submits every n-th request.
fn together(
    queues: &[Queue],
    file: &File,
    buffer: &Buffer,
    progress: &Progress,
    tasks: &Tasks,
) -> Results {
    let count = buffer.request.ops.len();
    let ready = Barrier::new(queues.len());
    let mut results = vec![(Err(libc::EIO), 0); count];
    thread::scope(|scope| {
        let submitters: Vec<_> = (0..)
            .zip(queues)
            .map(|(number, queue)| {
                let share: Vec<usize> = (number..count).step_by(queues.len()).collect();
                let ready = &ready;
                scope.spawn(move || {
                    let _listed = tasks.enter();
                    run_on_processor(number);
                    ready.wait();
                    let results = queue.submit(file, buffer, &share, progress);
                    share.into_iter().zip(results).collect::<Vec<_>>()
                })
            })
            .collect();
        for submitter in submitters {
            for (index, result) in submitter.join().unwrap_or_default() {
                results[index] = result;
            }
        }
    });
    results
}

/// Binds the calling thread to a processor: numbers beyond the last begin again at the
/// first. If the kernel refuses, it chooses a processor itself.
fn run_on_processor(number: usize) {
    let count = thread::available_parallelism().map_or(1, usize::from);
    let mut one = CpuSet::new();
    one.set(number % count);
    let _ = sched_setaffinity(None, &one);
}

fn one(file: RawFd, buffer: &Buffer, index: usize) -> io::Result<u64> {
    let vector = buffer.vector(index);
    let (start, count) = (vector.as_ptr(), vector.len() as i32);
    let offset = offset(buffer, index);
    let op = buffer.request.op;
    // SAFETY: the vector's addresses are ranges of the buffer's blocks. These live until
    // the call returns, and no reference to them exists meanwhile.
    let result = unsafe {
        match op {
            Op::Read => libc::preadv(file, start, count, offset),
            Op::Write | Op::Flush => libc::pwritev(file, start, count, offset),
            Op::Discard => return range(file, BLKDISCARD, offset, &vector),
            Op::WriteZeroes => return range(file, BLKZEROOUT, offset, &vector),
        }
    };
    let bytes = u64::try_from(result).map_err(|_| io::Error::last_os_error())?;
    if op == Op::Flush || op == Op::Write && buffer.request.path == Path::Buffered {
        // SAFETY: fsync takes no address.
        if unsafe { libc::fsync(file) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(bytes)
}

/// `BLKDISCARD` is `_IO(0x12, 119)` in include/uapi/linux/fs.h.
const BLKDISCARD: libc::Ioctl = 0x1277;
/// `BLKZEROOUT` is `_IO(0x12, 127)` in include/uapi/linux/fs.h.
const BLKZEROOUT: libc::Ioctl = 0x127f;

/// Calls an ioctl on a range of bytes. `vector` gives only the length.
fn range(
    file: RawFd,
    request: libc::Ioctl,
    offset: i64,
    vector: &[libc::iovec],
) -> io::Result<u64> {
    let length = vector.iter().map(|segment| segment.iov_len as u64).sum();
    let range = [offset as u64, length];
    // SAFETY: both ioctls read two 64-bit numbers from their argument.
    match unsafe { libc::ioctl(file, request, range.as_ptr()) } {
        0.. => Ok(length),
        _ => Err(io::Error::last_os_error()),
    }
}

fn offset(buffer: &Buffer, index: usize) -> i64 {
    buffer.request.ops[index].sector.wrapping_mul(SECTOR) as i64
}

fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

/// A context of kernel AIO. It is kept for all I/O, since destroying one waits for an RCU
/// grace period.
pub struct Queue(u64);

/// `struct io_event` of include/uapi/linux/aio_abi.h: the completion of one request.
#[repr(C)]
#[derive(Clone, Copy)]
struct Event {
    data: u64,
    iocb: u64,
    result: i64,
    result2: i64,
}

impl Queue {
    fn new() -> io::Result<Self> {
        let mut context = 0;
        // SAFETY: io_setup writes a context id to its second argument.
        check(unsafe { libc::syscall(libc::SYS_io_setup, REQUESTS, &raw mut context) })?;
        Ok(Self(context))
    }

    /// Submits all requests of `share` by one `io_submit`, so that the kernel plugs them
    /// and may merge them. The kernel plugs only if there are more than two
    /// (`AIO_PLUG_THRESHOLD` in fs/aio.c). The results are in the order of `share`.
    fn submit(
        &self,
        file: &File,
        buffer: &Buffer,
        share: &[usize],
        progress: &Progress,
    ) -> Results {
        const PREADV: u16 = 7; // IOCB_CMD_PREADV
        const PWRITEV: u16 = 8; // IOCB_CMD_PWRITEV
        let vectors: Vec<_> = share.iter().map(|index| buffer.vector(*index)).collect();
        let mut blocks: Vec<_> = (vectors.iter().zip(share).zip(0u64..))
            .map(|((vector, index), place)| {
                // SAFETY: all fields are numbers, for which zeros are valid.
                let mut block: libc::iocb = unsafe { zeroed() };
                block.aio_data = place;
                block.aio_lio_opcode = match buffer.request.op {
                    Op::Read => PREADV,
                    _ => PWRITEV,
                };
                block.aio_fildes = file.as_raw_fd() as u32;
                block.aio_buf = vector.as_ptr() as u64;
                block.aio_nbytes = vector.len() as u64;
                block.aio_offset = offset(buffer, *index);
                block
            })
            .collect();
        let mut pointers: Vec<_> = blocks.iter_mut().map(|block| &raw mut *block).collect();

        // A request counts as refused by io_submit until its completion arrives.
        let mut results = vec![(Err(libc::EIO), 0); blocks.len()];
        let mut next = 0;
        let mut flying = 0;
        while next < pointers.len() {
            let rest = &mut pointers[next..];
            // SAFETY: the control blocks and their vectors live until all completions
            // have arrived. The memory that they name is the buffer's, to which no
            // reference exists meanwhile.
            let taken = check(unsafe {
                libc::syscall(libc::SYS_io_submit, self.0, rest.len(), rest.as_mut_ptr())
            });
            match taken {
                Ok(taken) if taken > 0 => {
                    next += taken as usize;
                    flying += taken as usize;
                }
                // The kernel refused the first of the remaining requests. It may accept
                // the others.
                other => {
                    let errno = other.err().map_or(libc::EIO, |error| errno(&error));
                    results[next] = (Err(errno), progress.one_completed());
                    next += 1;
                }
            }
        }
        while flying > 0 {
            let mut event = MaybeUninit::<Event>::uninit();
            // SAFETY: there is room for the one event that is asked for.
            let got = check(unsafe {
                libc::syscall(
                    libc::SYS_io_getevents,
                    self.0,
                    1,
                    1,
                    event.as_mut_ptr(),
                    null_mut::<libc::timespec>(),
                )
            });
            if !matches!(got, Ok(1)) {
                // The call was interrupted. Do not give up: the kernel may still write to
                // memory that would be reused.
                continue;
            }
            // SAFETY: io_getevents reported that it wrote one event.
            let event = unsafe { event.assume_init() };
            flying -= 1;
            let after = progress.one_completed();
            if let Some(result) = results.get_mut(event.data as usize) {
                let bytes = u64::try_from(event.result).map_err(|_| -event.result as i32);
                *result = (bytes, after);
            }
        }
        results
    }
}

fn check(result: libc::c_long) -> io::Result<u64> {
    u64::try_from(result).map_err(|_| io::Error::last_os_error())
}
