//! Python packages that hand `python -m aiperf` and `python -m genai_perf` on to this program.

/// A package: its module's name, the program behind it, and the version it says.
pub(super) struct Package {
    pub(super) module: &'static str,
    pub(super) program: &'static str,
    pub(super) version: &'static str,
}

/// Those that scripts call.
pub(super) const PACKAGES: [Package; 2] = [
    Package { module: "aiperf", program: "aiperf", version: super::AIPERF_VERSION },
    Package { module: "genai_perf", program: "genai-perf", version: super::GENAI_PERF_VERSION },
];

/// The first line of every file of ours: what does not begin with it is not replaced.
pub(super) const MARK: &str = "# Written by `loadgen --install-aliases`: hands on to loadgen.";

impl Package {
    /// `__init__.py`.
    pub(super) fn init(&self) -> String {
        format!("{MARK}\n__version__ = \"{}\"\n", self.version)
    }

    /// `__main__.py`: becomes the program, so that signals and the exit code are its own.
    ///
    /// The program stands beside the folder of the packages; it is called by its link, whose name it goes by.
    pub(super) fn main(&self) -> String {
        format!(
            "{MARK}\n\
             import os\n\
             import sys\n\
             \n\
             links = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))\n\
             program = os.path.join(links, \"{}\")\n\
             os.execv(program, [program, *sys.argv[1:]])\n",
            self.program
        )
    }
}
