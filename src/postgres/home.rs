//! The folder of a cluster: private, locked, and within reach of the user whom the server runs as.

use std::{
    env,
    ffi::OsStr,
    fs::{self, DirBuilder, File, Permissions, TryLockError},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use aws_lc_rs::digest::{SHA256, digest};

use super::{ClusterFault, at, default_dir, id, is_root};

/// The locale of the server's characters; order and messages are the same everywhere.
pub(super) const CHARACTERS: &str =
    if cfg!(target_os = "macos") { "en_US.UTF-8" } else { "C.UTF-8" };

const SOCKET: &str = ".s.PGSQL.5432";
const LONGEST_SOCKET: usize = if cfg!(target_os = "macos") { 103 } else { 107 };

type User = Option<(u32, u32)>;

/// Where a cluster lives and as whom it runs, locked for as long as it is held.
#[derive(Debug)]
pub(super) struct Home {
    pub(super) dir: PathBuf,
    pub(super) data: PathBuf,
    pub(super) socket: PathBuf,
    user: User,
    lock: File,
}

impl Home {
    /// Takes a folder for this run alone.
    pub(super) fn enter(dir: &Path) -> Result<Self, ClusterFault> {
        fs::create_dir_all(dir).map_err(at(dir))?;
        let dir = dir.canonicalize().map_err(at(dir))?;
        let lock = lock(&dir)?;
        let data = dir.join("data");
        let ours = data.join("PG_VERSION").exists() || dir.join("data.new").exists();
        if !ours && fs::read_dir(&dir).map_err(at(&dir))?.next().is_some() {
            let dir = dir.display();
            return Err(ClusterFault(format!(
                "{dir} holds something else: choose an empty or a new folder"
            )));
        }
        let user = user(&data)?;
        make_private(&dir, user).map_err(at(&dir))?;
        reach(&dir, user)?;
        let socket = socket_dir(&dir, user)?;
        Ok(Self { dir, data, socket, user, lock })
    }

    /// The major version that made the data, if there is any.
    pub(super) fn made_by(&self) -> Option<u32> {
        fs::read_to_string(self.data.join("PG_VERSION")).ok()?.trim().parse().ok()
    }

    /// The process that says it serves the data, or once did.
    pub(super) fn noted(&self) -> Option<u32> {
        let note = fs::read_to_string(self.data.join("postmaster.pid")).ok()?;
        note.lines().next()?.trim().parse().ok()
    }

    /// Whether a process serves our data, and is not another one that was given the number since.
    pub(super) fn is_served_by(&self, pid: u32) -> bool {
        let pid = pid.to_string();
        let ps = || Command::new("ps").args(["-ww", "-o", "args=", "-p", &pid]).output();
        let line = fs::read(format!("/proc/{pid}/cmdline")).or_else(|_| ps().map(|it| it.stdout));
        let data = self.data.as_os_str().as_bytes();
        line.is_ok_and(|line| line.windows(data.len()).any(|part| part == data))
    }

    /// A program to run as the server's user, knowing nothing of our own environment.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        command(program.as_ref(), &self.dir, self.user)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.socket != self.dir {
            drop(fs::remove_dir(&self.socket));
        }
        // Closing is not enough: a program being spawned just now holds a copy of the file for a moment.
        drop(self.lock.unlock());
    }
}

fn command(program: &OsStr, home: &Path, user: User) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", env::var_os("PATH").unwrap_or_default());
    command.env("LC_ALL", CHARACTERS).env("HOME", home).current_dir("/").stdin(Stdio::null());
    if let Some((user, group)) = user {
        command.uid(user).gid(group);
    }
    command
}

fn lock(dir: &Path) -> Result<File, ClusterFault> {
    let lock = File::open(dir).map_err(at(dir))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::Error(error)) => Err(at(dir)(error)),
        Err(TryLockError::WouldBlock) => Err(ClusterFault(format!(
            "{} is in use by another run: stop that one first, or choose another folder",
            dir.display(),
        ))),
    }
}

/// As root, whom the server runs as: the owner of the data, else `postgres`, else `nobody`.
fn user(data: &Path) -> Result<User, ClusterFault> {
    if !is_root() {
        return Ok(None);
    }
    if let Ok(data) = fs::metadata(data)
        && data.uid() != 0
    {
        return Ok(Some((data.uid(), data.gid())));
    }
    let of = |name| Some((id(&["-u", name])?, id(&["-g", name])?));
    of("postgres").or_else(|| of("nobody")).map(Some).ok_or_else(|| {
        ClusterFault(
            "PostgreSQL does not run as root, and there is neither a user postgres nor nobody"
                .into(),
        )
    })
}

fn make_private(dir: &Path, user: User) -> io::Result<()> {
    if let Some((user, group)) = user {
        chown(dir, Some(user), Some(group))?;
    }
    fs::set_permissions(dir, Permissions::from_mode(0o700))
}

fn reach(dir: &Path, user: User) -> Result<(), ClusterFault> {
    let there = command("sh".as_ref(), dir, user).args(["-c", r#"cd "$0""#]).arg(dir).output();
    if there.map_err(at(dir))?.status.success() {
        return Ok(());
    }
    Err(ClusterFault(format!(
        "PostgreSQL does not run as root, and the user it runs as cannot reach {}: choose a folder such as {}",
        dir.display(),
        default_dir("demo").display(),
    )))
}

/// Where the socket stands: in the folder, or where its path is too long or has a separator in it, in a short one.
fn socket_dir(dir: &Path, user: User) -> Result<PathBuf, ClusterFault> {
    let fits = |dir: &Path| {
        let path = dir.join(SOCKET);
        let path = path.as_os_str().as_bytes();
        path.len() <= LONGEST_SOCKET && !path.iter().any(|byte| b",\"".contains(byte))
    };
    if fits(dir) {
        return Ok(dir.to_owned());
    }
    let own = || env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let base = if user.is_some() { Some("/var/run".into()) } else { own() };
    let mark = digest(&SHA256, dir.as_os_str().as_bytes());
    let mark = mark.as_ref().first_chunk().map_or(0, |mark| u64::from_be_bytes(*mark));
    let short = base.unwrap_or_else(|| "/tmp".into()).join(format!("contactpoint-{mark:016x}"));
    if !fits(&short) {
        let dir = dir.display();
        return Err(ClusterFault(format!(
            "{dir} is too long for a socket ({LONGEST_SOCKET} bytes): choose a shorter folder"
        )));
    }
    private_dir(&short, dir, user)?;
    Ok(short)
}

/// Makes a folder where others may also make some, and makes sure that it is ours.
fn private_dir(new: &Path, like: &Path, user: User) -> Result<(), ClusterFault> {
    match DirBuilder::new().mode(0o700).create(new) {
        Ok(()) => return make_private(new, user).map_err(at(new)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(at(new)(error)),
    }
    let found = fs::symlink_metadata(new).map_err(at(new))?;
    let owner = fs::metadata(like).map_err(at(like))?.uid();
    if found.is_dir() && found.uid() == owner && found.mode() & 0o777 == 0o700 {
        return Ok(());
    }
    let new = new.display();
    Err(ClusterFault(format!(
        "{new} belongs to someone else: remove it, or choose a shorter folder"
    )))
}
