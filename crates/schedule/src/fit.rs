//! Goodness of fit for arrival counts.
