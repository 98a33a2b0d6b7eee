//! Storage in memory, with blocks that fail.

use halfway_target::scsi::transfer::{Storage, StorageError};
use std::sync::LazyLock;

pub struct Bytes {
    pub data: Vec<u8>,
    /// Offset in bytes at which `data` begins, so that blocks far behind need
    /// no memory.
    pub base: u64,
    /// Bytes that fail, as (offset, errno).
    pub bad: Vec<(u64, u32)>,
}

impl Bytes {
    /// A storage in which each byte's value depends on its place.
    pub fn new(bytes: usize) -> Self {
        Bytes {
            data: PATTERN[..bytes].to_vec(),
            base: 0,
            bad: Vec::new(),
        }
    }

    fn range(&self, offset: u64, bytes: usize) -> Result<std::ops::Range<usize>, StorageError> {
        let end = offset + bytes as u64;
        if let Some((_, errno)) = self.bad.iter().find(|(at, _)| (offset..end).contains(at)) {
            return Err(StorageError::Refused(*errno));
        }
        let start = (offset - self.base) as usize;
        assert!(
            start + bytes <= self.data.len(),
            "the unit checks its limits"
        );
        Ok(start..start + bytes)
    }
}

/// Made once, since thousands of tests need it.
static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| (0..64 * 4096).map(pattern).collect());

pub fn pattern(at: usize) -> u8 {
    ((at / 512) ^ at) as u8
}

impl Storage for Bytes {
    fn size(&self) -> u64 {
        self.base + self.data.len() as u64
    }

    fn read(&mut self, offset: u64, data: &mut [u8]) -> Result<(), StorageError> {
        data.copy_from_slice(&self.data[self.range(offset, data.len())?]);
        Ok(())
    }

    fn write(&mut self, offset: u64, data: &[u8], _: bool) -> Result<(), StorageError> {
        let range = self.range(offset, data.len())?;
        self.data[range].copy_from_slice(data);
        Ok(())
    }

    fn zero(&mut self, offset: u64, bytes: u32, _: bool) -> Result<(), StorageError> {
        let range = self.range(offset, bytes as usize)?;
        self.data[range].fill(0);
        Ok(())
    }

    fn trim(&mut self, offset: u64, bytes: u32) -> Result<(), StorageError> {
        self.zero(offset, bytes, true)
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        self.range(0, self.bad.iter().any(|(at, _)| *at == u64::MAX).into())
            .map(drop)
    }
}
