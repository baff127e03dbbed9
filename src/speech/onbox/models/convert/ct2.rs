//! The weights file of `CTranslate2` (`model.bin`, format version 6): a list
//! of named tensors, little-endian, and after it a list of aliases.

use std::collections::HashMap;

use super::ConvertError;

/// The version of the two Whisper models that the box uses.
const VERSION: u32 = 6;
/// Whisper base has 245 tensors; a damaged count must not make us wait.
const MAX_TENSORS: u32 = 10_000;
/// Convolution weights have three dimensions.
const MAX_RANK: u8 = 4;
/// `CTranslate2`'s number for float16, the only one that is converted.
const FLOAT16: u8 = 4;

/// A tensor of float16 numbers, in rows.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    shape: [usize; 3],
    rank: usize,
    /// Two bytes for each number.
    pub bytes: &'a [u8],
}

impl<'a> Tensor<'a> {
    pub fn shape(&self) -> &[usize] {
        &self.shape[..self.rank]
    }

    /// `count` rows (or numbers, of a vector) from `start`: fused attention
    /// weights hold query, key and value below each other.
    pub fn rows(&self, start: usize, count: usize) -> Option<Self> {
        let all = self.shape[0];
        let row = self.bytes.len().checked_div(all)?;
        let bytes = self.bytes.get(start.checked_mul(row)?..start.checked_add(count)?.checked_mul(row)?)?;
        let mut shape = self.shape;
        shape[0] = count;
        Some(Tensor { shape, rank: self.rank, bytes })
    }
}

/// All tensors of a file, by name.
#[derive(Debug)]
pub struct Weights<'a> {
    tensors: HashMap<&'a str, Tensor<'a>>,
}

impl<'a> Weights<'a> {
    pub fn read(file: &'a [u8]) -> Result<Self, ConvertError> {
        let mut reader = Reader { rest: file };
        let version = reader.u32("the version")?;
        if version != VERSION {
            return Err(ConvertError::Version(version));
        }
        reader.name()?; // The design's name, and its revision: the tensors say it better.
        reader.u32("the revision")?;
        let count = reader.u32("the number of tensors")?;
        if count > MAX_TENSORS {
            return Err(ConvertError::Size("the number of tensors"));
        }
        let mut tensors = HashMap::new();
        for _ in 0..count {
            let name = reader.name()?;
            // Tensors of other types (a scale, a flag) are of no use to us.
            if let Some(tensor) = reader.tensor()? {
                tensors.insert(name, tensor);
            }
        }
        Ok(Self { tensors })
    }

    pub fn get(&self, name: &str) -> Result<Tensor<'a>, ConvertError> {
        self.tensors.get(name).copied().ok_or_else(|| ConvertError::Missing(name.to_owned()))
    }

    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], ConvertError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(ConvertError::Truncated(what))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], ConvertError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(ConvertError::Truncated(what))?;
        self.rest = rest;
        Ok(*taken)
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, ConvertError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    /// A name: its length with the closing zero, then the bytes.
    fn name(&mut self) -> Result<&'a str, ConvertError> {
        let length = u16::from_le_bytes(self.array("a name")?);
        let bytes = self.take(usize::from(length), "a name")?;
        let text = bytes.strip_suffix(&[0]).ok_or(ConvertError::Name)?;
        std::str::from_utf8(text).map_err(|_| ConvertError::Name)
    }

    /// Rank, dimensions, type, size in bytes, numbers. `None` for a tensor
    /// that is not of float16 or has no dimension.
    fn tensor(&mut self) -> Result<Option<Tensor<'a>>, ConvertError> {
        let [rank] = self.array("a tensor")?;
        if rank > MAX_RANK {
            return Err(ConvertError::Size("a tensor's rank"));
        }
        let mut shape = [1; 3];
        let mut numbers = 1_usize;
        for axis in 0..usize::from(rank) {
            let size = usize::try_from(self.u32("a tensor")?).map_err(|_| ConvertError::Size("a tensor"))?;
            numbers = numbers.checked_mul(size).ok_or(ConvertError::Size("a tensor"))?;
            if let Some(slot) = shape.get_mut(axis) {
                *slot = size;
            }
        }
        let [number_type] = self.array("a tensor")?;
        let length = usize::try_from(self.u32("a tensor")?).map_err(|_| ConvertError::Size("a tensor"))?;
        let bytes = self.take(length, "a tensor")?;
        let rank = usize::from(rank);
        if number_type != FLOAT16 || !(1..=shape.len()).contains(&rank) {
            return Ok(None);
        }
        if numbers.checked_mul(2) != Some(bytes.len()) {
            return Err(ConvertError::Size("a tensor"));
        }
        Ok(Some(Tensor { shape, rank, bytes }))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A file with the given float16 tensors.
    pub fn file(tensors: &[(&str, &[u32], &[u8])]) -> Vec<u8> {
        let mut out = VERSION.to_le_bytes().to_vec();
        let name = |out: &mut Vec<u8>, text: &str| {
            out.extend(u16::try_from(text.len() + 1).unwrap().to_le_bytes());
            out.extend(text.as_bytes());
            out.push(0);
        };
        name(&mut out, "WhisperSpec");
        out.extend(3_u32.to_le_bytes());
        out.extend(u32::try_from(tensors.len()).unwrap().to_le_bytes());
        for (text, shape, bytes) in tensors {
            name(&mut out, text);
            out.push(u8::try_from(shape.len()).unwrap());
            shape.iter().for_each(|size| out.extend(size.to_le_bytes()));
            out.push(FLOAT16);
            out.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
            out.extend(*bytes);
        }
        out
    }

    #[test]
    fn a_tensor_is_found_by_its_name_and_cut_into_rows() {
        let bytes = file(&[("a/weight", &[3, 2], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])]);
        let weights = Weights::read(&bytes).unwrap();
        let middle = weights.get("a/weight").unwrap().rows(1, 1).unwrap();
        assert_eq!((middle.shape(), middle.bytes), ([1, 2].as_slice(), [4, 5, 6, 7].as_slice()));
        assert!(weights.get("a/weight").unwrap().rows(2, 2).is_none());
        assert!(matches!(weights.get("b"), Err(ConvertError::Missing(_))));
    }

    #[test]
    fn a_tensor_whose_size_belies_its_shape_is_refused() {
        let bytes = file(&[("a", &[3, 2], &[0; 10])]);
        assert!(matches!(Weights::read(&bytes), Err(ConvertError::Size(_))));
    }

    proptest! {
        #[test]
        fn weights_cut_anywhere_are_refused(cut in 0_usize..60) {
            let bytes = file(&[("a/weight", &[2, 2], &[7; 8]), ("b", &[1], &[1, 2])]);
            prop_assume!(cut < bytes.len());
            prop_assert!(Weights::read(&bytes[..cut]).is_err());
        }

        #[test]
        fn damaged_weights_never_panic(at in 0_usize..60, value: u8) {
            let mut bytes = file(&[("a/weight", &[2, 2], &[7; 8]), ("b", &[1], &[1, 2])]);
            let at = at % bytes.len();
            bytes[at] = value;
            if let Ok(weights) = Weights::read(&bytes) && let Ok(tensor) = weights.get("a/weight") {
                prop_assert_eq!(tensor.shape().iter().product::<usize>() * 2, tensor.bytes.len());
            }
        }
    }
}
