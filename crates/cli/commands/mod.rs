//! One file per subcommand.

pub(crate) mod mock_server;
pub(crate) mod profile;
pub(crate) mod report;
pub(crate) mod schemas;
pub(crate) mod synthesize;
