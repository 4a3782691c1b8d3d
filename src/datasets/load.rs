//! [`DataSetInfo`] → [`DataSet`]: reading the four files and checking every statement made about them.

use super::description::{DataSetInfo, FileInfo, Role};
use super::idx::{self, Kind};
use super::{COLS, DataError, DataSet, FileFault, ROWS, Split};

/// Reads a data set. What is returned has the checksums, and thus the identity, of `info`.
///
/// # Errors
/// [`DataError::File`] for the first file that is missing, damaged, or holds something else than described.
pub fn load(info: &DataSetInfo) -> Result<DataSet, DataError> {
    let read = |role| read_described(info, role).map_err(|fault| file_error(info, role, fault));
    // Labels come first: they are small, so a set that is wrong in them is refused quickly.
    let (train, test) = (read(Role::TrainLabels)?, read(Role::TestLabels)?);
    check_class_count(info, &train, &test).map_err(|(role, fault)| file_error(info, role, fault))?;
    let split = |labels, pixels| Split { pixels, labels, rows: ROWS, cols: COLS };
    let (train_images, test_images) = rayon::join(|| read(Role::TrainImages), || read(Role::TestImages));
    Ok(DataSet { train: split(train, train_images?), test: split(test, test_images?) })
}

/// One file of a data set and whether it holds what it should.
#[derive(Debug)]
pub struct FileStatus {
    /// What the file is for.
    pub role: Role,
    /// The file as its description has it.
    pub file: FileInfo,
    /// `None`: the file is there and its checksum holds.
    pub problem: Option<DataError>,
}

/// Reads all four files, whatever is wrong with any, in the order of [`Role::ALL`]; at most one is held in memory.
/// All of them are sound exactly if [`load`] succeeds.
pub fn verify(info: &DataSetInfo) -> Vec<FileStatus> {
    let mut labels = Vec::new();
    let mut statuses: Vec<FileStatus> = Vec::new();
    for role in Role::ALL {
        let problem = match read_described(info, role) {
            Ok(body) if role.kind() == Kind::Labels => {
                labels.push(body);
                None
            }
            Ok(_) => None,
            Err(fault) => Some(file_error(info, role, fault)),
        };
        statuses.push(FileStatus { role, file: info.file(role).clone(), problem });
    }
    if let [train, test] = labels.as_slice()
        && let Err((role, fault)) = check_class_count(info, train, test)
    {
        statuses[role as usize].problem = Some(file_error(info, role, fault));
    }
    statuses
}

fn file_error(info: &DataSetInfo, role: Role, fault: FileFault) -> DataError {
    let file = info.path(role);
    if fault.is_want_of_memory() {
        let remedy =
            "the file is not at fault: run fewer tasks at a time (`--jobs 1`), or allow the program more memory";
        return DataError::File { file, fault, remedy: remedy.to_owned() };
    }
    let remedy = format!(
        "`ojaflow data import DIR --as {}` repairs it from the original files; if the set ships with ojaflow, so does \
         `git checkout -- {}`",
        info.name,
        info.folder.display()
    );
    DataError::File { file, fault, remedy }
}

/// The body of one file, if it is the one described.
fn read_described(info: &DataSetInfo, role: Role) -> Result<Vec<u8>, FileFault> {
    let file = info.file(role);
    let idx = idx::read(&info.path(role), role.kind(), Some((file.count, "dataset.toml")))?;
    if role.kind() == Kind::Labels
        && let Some(index) = idx.body.iter().position(|&label| usize::from(label) >= info.n_classes)
    {
        let (n_classes, label) = (info.n_classes, idx.body[index]);
        return Err(FileFault::LabelBeyondClasses { n_classes, label, index });
    }
    if idx.sha256 != file.sha256 {
        return Err(FileFault::WrongChecksum { expected: file.sha256.clone(), found: idx.sha256 });
    }
    Ok(idx.body)
}

/// `n_classes` is the largest label plus one: were it free, it would change results without changing the identity.
fn check_class_count(info: &DataSetInfo, train: &[u8], test: &[u8]) -> Result<(), (Role, FileFault)> {
    let largest = train.iter().chain(test).copied().max().expect("a file holds at least one label");
    if usize::from(largest) + 1 == info.n_classes {
        return Ok(());
    }
    Err((Role::TrainLabels, FileFault::ClassesWithoutLabels { n_classes: info.n_classes, largest }))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::datasets::{PIXELS, find};

    #[test]
    fn want_of_memory_is_no_fault_of_the_file() {
        let info = find(&[concat!(env!("CARGO_MANIFEST_DIR"), "/data")], "mnist").unwrap();
        let error = |kind: std::io::ErrorKind| {
            file_error(&info, Role::TrainImages, FileFault::Unreadable(kind.into())).to_string()
        };
        let memory = error(std::io::ErrorKind::OutOfMemory);
        assert!(memory.contains("not at fault") && !memory.contains("git checkout"), "{memory}");
        assert!(error(std::io::ErrorKind::InvalidData).contains("git checkout"));
    }

    fn shipped(name: &str) -> DataSet {
        load(&find(&[Path::new(env!("CARGO_MANIFEST_DIR")).join("data")], name).unwrap()).unwrap()
    }

    /// Mean and standard deviation of the training pixels, scaled to 0 … 1.
    fn moments(split: &Split) -> (f64, f64) {
        let mut histogram = [0u64; 256];
        split.pixels.iter().for_each(|&pixel| histogram[usize::from(pixel)] += 1);
        let average = |f: &dyn Fn(f64) -> f64| {
            let sum: f64 = (0..=255u8).map(|v| histogram[usize::from(v)] as f64 * f(f64::from(v) / 255.0)).sum();
            sum / split.pixels.len() as f64
        };
        let mean = average(&|v| v);
        (mean, average(&|v| (v - mean).powi(2)).sqrt())
    }

    fn images_of_each_class(split: &Split) -> Vec<usize> {
        (0..10).map(|class| split.labels.iter().filter(|&&label| label == class).count()).collect()
    }

    #[test]
    fn mnist_has_its_published_statistics() {
        let mnist = shipped("mnist");
        // Class counts and moments as they are quoted everywhere for MNIST (0.1307, 0.3081: torchvision's examples).
        let train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949];
        let test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009];
        assert_eq!(images_of_each_class(&mnist.train), train);
        assert_eq!(images_of_each_class(&mnist.test), test);
        let (mean, std) = moments(&mnist.train);
        assert!((mean - 0.1307).abs() < 5e-5 && (std - 0.3081).abs() < 5e-5, "{mean} {std}");
        assert_eq!(mnist.train.labels[..5], [5, 0, 4, 1, 9]);
        assert_eq!(mnist.train.pixels.len(), 60_000 * PIXELS);
    }

    #[test]
    fn fashion_mnist_has_its_published_statistics() {
        let fashion = shipped("fashion_mnist");
        assert_eq!(images_of_each_class(&fashion.train), [6000; 10]);
        assert_eq!(images_of_each_class(&fashion.test), [1000; 10]);
        let (mean, std) = moments(&fashion.train);
        assert!((mean - 0.2860).abs() < 5e-5 && (std - 0.3530).abs() < 5e-5, "{mean} {std}");
    }

    #[test]
    fn an_image_is_a_row_of_the_pixels() {
        let pixels: Vec<u8> = [[1; PIXELS], [2; PIXELS]].concat();
        let split = Split { pixels, labels: vec![0, 1], rows: ROWS, cols: COLS };
        assert_eq!((split.image(1), split.len()), (&[2; PIXELS][..], 2));
    }

    #[test]
    fn the_shipped_files_verify() {
        let info = find(&[Path::new(env!("CARGO_MANIFEST_DIR")).join("data")], "mnist").unwrap();
        let statuses = verify(&info);
        assert!(statuses.iter().map(|status| status.role).eq(Role::ALL));
        assert!(statuses.iter().all(|status| status.problem.is_none()), "{statuses:?}");
    }
}
