//! `loadgen --install-aliases DIR`: links by which this program is called `aiperf` and `genai-perf`.
//!
//! A link or file of ours is replaced, anything else is left alone: someone's real AIPerf is not ours to
//! remove. Nothing is changed unless everything can be.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::shim::{MARK, PACKAGES};

/// Makes the links and packages below `folder`, and says how to put them to use.
pub(crate) fn install_aliases(folder: &Path) -> Result<String> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let folder = fs::canonicalize(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let links: Vec<PathBuf> = PACKAGES.iter().map(|package| folder.join(package.program)).collect();
    let files: Vec<(PathBuf, String)> = PACKAGES
        .iter()
        .flat_map(|package| {
            let module = folder.join("python").join(package.module);
            [(module.join("__init__.py"), package.init()), (module.join("__main__.py"), package.main())]
        })
        .collect();
    for link in &links {
        check_link(link, &program)?;
    }
    for (file, _) in &files {
        check_file(file)?;
    }
    for link in &links {
        put_link(&program, link).with_context(|| format!("cannot make the link {}", link.display()))?;
    }
    for (file, text) in &files {
        let written = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(file, text));
        written.with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(told(&folder, &program))
}

fn told(folder: &Path, program: &Path) -> String {
    let folder = folder.display();
    format!(
        "aiperf and genai-perf in {folder} are now {}.\n\
         To have scripts find them:\n  \
         export PATH={folder}:$PATH\n\
         and for `python -m aiperf` and `python -m genai_perf`:\n  \
         export PYTHONPATH={folder}/python${{PYTHONPATH:+:$PYTHONPATH}}\n",
        program.display()
    )
}

/// Whether a link may stand there: nothing does, or one of ours: to this program, or to any loadgen.
fn check_link(link: &Path, program: &Path) -> Result<()> {
    let Ok(found) = fs::symlink_metadata(link) else { return Ok(()) };
    let is_loadgen =
        |target: PathBuf| target == program || target.file_name().is_some_and(|name| name == "loadgen");
    let is_ours = found.is_symlink() && fs::read_link(link).is_ok_and(is_loadgen);
    if !is_ours {
        bail!(
            "--install-aliases: {} exists and is no link to loadgen: move it away, or give another folder",
            link.display()
        );
    }
    Ok(())
}

/// Whether a file may be written there: nothing is there, or one of ours.
fn check_file(file: &Path) -> Result<()> {
    match fs::read_to_string(file) {
        Ok(text) if text.starts_with(MARK) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        _ => bail!(
            "--install-aliases: {} exists and was not written by loadgen: move it away, or give another folder",
            file.display()
        ),
    }
}

/// Puts a link in place of an old one at once: a script that calls it meanwhile finds one of the two.
fn put_link(program: &Path, link: &Path) -> io::Result<()> {
    let beside = link.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(program, &beside)?;
    fs::rename(&beside, link)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn links_of_ours_are_replaced_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let here = Path::new("/opt/bench-1.2");
        let link = dir.path().join("aiperf");
        check_link(&link, here).unwrap();
        put_link(Path::new("/old/loadgen"), &link).unwrap();
        check_link(&link, here).unwrap();
        put_link(Path::new("/new/loadgen"), &link).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("/new/loadgen"));
        put_link(here, &link).unwrap();
        check_link(&link, here).unwrap();

        let foreign = dir.path().join("genai-perf");
        symlink("/opt/venv/bin/genai-perf", &foreign).unwrap();
        assert!(check_link(&foreign, here).unwrap_err().to_string().contains("no link to loadgen"));
        fs::remove_file(&foreign).unwrap();
        fs::write(&foreign, "#!/usr/bin/python").unwrap();
        assert!(check_link(&foreign, here).is_err());
        let package = dir.path().join("__init__.py");
        fs::write(&package, "__version__ = '0.13.0'").unwrap();
        assert!(check_file(&package).unwrap_err().to_string().contains("not written by loadgen"));
        fs::write(&package, PACKAGES[0].init()).unwrap();
        check_file(&package).unwrap();
    }

    #[test]
    fn a_taken_name_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("genai-perf"), "theirs").unwrap();
        assert!(install_aliases(dir.path()).is_err());
        assert!(!dir.path().join("aiperf").exists() && !dir.path().join("python").exists());
    }

    #[test]
    fn packages_say_their_version_and_become_the_program() {
        assert!(PACKAGES[0].init().contains("__version__ = \"0.13.0\""));
        assert!(PACKAGES[1].main().contains("os.execv(program"));
        assert!(PACKAGES[1].main().contains("\"genai-perf\""));
    }
}
