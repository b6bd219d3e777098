//! Who has the shell: the uid that a command runs with, and the name of whoever ran it.

use std::{env, fmt, fs};

/// Bytes of a name at most, as `useradd` has it.
const NAME_BYTES_MAX: usize = 32;

/// An account of the operating system's. The uid is the kernel's word; the name is that of `SUDO_USER` where `sudo` ran the
/// command, which root can make up, and otherwise that of the uid.
#[derive(Clone, PartialEq, Eq)]
pub struct ShellUser {
    uid: Option<u32>,
    name: Option<String>,
}

impl ShellUser {
    /// Who runs this process.
    pub fn of_process() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
        Self::of(&status, &accounts, env::var("SUDO_USER").ok())
    }

    fn of(status: &str, accounts: &str, sudo_user: Option<String>) -> Self {
        let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        let uid = uid.and_then(|uids| uids.split_whitespace().next()?.parse().ok());
        let name = sudo_user.or_else(|| name_of(accounts, uid?).map(str::to_owned));
        Self { uid, name: name.map(|name| cleaned(&name)).filter(|name| !name.is_empty()) }
    }
}

/// The name of an account, by passwd(5).
fn name_of(accounts: &str, uid: u32) -> Option<&str> {
    let fields = accounts.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mut named = fields.filter_map(|fields| Some((*fields.first()?, fields.get(2)?.parse::<u32>().ok()?)));
    named.find(|(_, of)| *of == uid).map(|(name, _)| name)
}

/// What may stand in a name; the rest is left out.
fn cleaned(name: &str) -> String {
    let may_stand = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '$');
    name.chars().filter(may_stand).take(NAME_BYTES_MAX).collect()
}

impl fmt::Display for ShellUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("shell")?;
        if let Some(uid) = self.uid {
            write!(f, ":{uid}")?;
        }
        if let Some(name) = &self.name {
            write!(f, ":{name}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ShellUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShellUser").field("uid", &self.uid).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tconsilium\nUid:\t1000\t0\t0\t0\nGid:\t1000\t1000\t1000\t1000\n";
    const ACCOUNTS: &str = "root:x:0:0:root:/root:/bin/sh\nodd\nrosa:x:1000:1000::/home/rosa:/bin/sh\n";

    #[test]
    fn the_shell_s_user_is_named_by_uid_and_name_and_sudo_says_whose_they_are() {
        let user = |status, accounts, sudo: Option<&str>| {
            ShellUser::of(status, accounts, sudo.map(str::to_owned)).to_string()
        };
        assert_eq!(user(STATUS, ACCOUNTS, None), "shell:1000:rosa");
        assert_eq!(user("Uid:\t0\t0\t0\t0\n", ACCOUNTS, Some("rosa")), "shell:0:rosa");
        assert_eq!(user(STATUS, "", None), "shell:1000");
        assert_eq!(user("", ACCOUNTS, None), "shell");
        assert!(ShellUser::of_process().to_string().starts_with("shell:"));
    }

    #[test]
    fn no_name_makes_more_of_itself_than_a_name() {
        let long = "x".repeat(100);
        for (name, shown) in
            [("ro sa\n:0", "shell:1000:rosa0"), ("\u{1b}[1m", "shell:1000:1m"), ("  ", "shell:1000")]
        {
            assert_eq!(ShellUser::of(STATUS, "", Some(name.to_owned())).to_string(), shown);
        }
        assert_eq!(ShellUser::of(STATUS, "", Some(long)).to_string().len(), "shell:1000:".len() + 32);
    }
}
