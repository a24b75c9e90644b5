//! Step times measured on real accelerators, from the Splitwise study's table.

/// Which of the table's measurements the `splitwise` profile follows.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitwiseConfig {
    /// The table's model: `llama2-70b` or `bloom-176b`.
    pub model: String,
    /// The table's hardware: `a100-80gb`, `h100-80gb` or `h100-80gb-pcap`.
    pub hardware: String,
    /// Accelerators that share the model: 2, 4 or 8 as the table has them.
    pub tensor_parallel: u32,
}

impl Default for SplitwiseConfig {
    fn default() -> Self {
        Self { model: "llama2-70b".to_owned(), hardware: "h100-80gb".to_owned(), tensor_parallel: 8 }
    }
}

impl SplitwiseConfig {
    pub(crate) const KEYS: &[&str] = &["model", "hardware", "tp"];

    /// Sets an option; `Ok(false)` when it is not one of [`Self::KEYS`].
    pub(crate) fn set(&mut self, key: &str, value: &str) -> Result<bool, String> {
        match key {
            "model" => value.clone_into(&mut self.model),
            "hardware" => value.clone_into(&mut self.hardware),
            "tp" => self.tensor_parallel = value.parse().map_err(|_| "expected 2, 4 or 8")?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The options that differ from the usual ones, as they parse.
    pub(crate) fn show(&self) -> Vec<String> {
        let usual = Self::default();
        let mut options = Vec::new();
        if self.model != usual.model {
            options.push(format!("model={}", self.model));
        }
        if self.hardware != usual.hardware {
            options.push(format!("hardware={}", self.hardware));
        }
        if self.tensor_parallel != usual.tensor_parallel {
            options.push(format!("tp={}", self.tensor_parallel));
        }
        options
    }
}
