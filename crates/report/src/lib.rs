//! Numbers to text: AIPerf's files, console, plots and HTML.
