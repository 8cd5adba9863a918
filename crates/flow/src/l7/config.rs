//! How much is read above the transport layer, and how much memory that may take.

/// How much is read above the transport layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum L7Level {
    /// Nothing.
    Off,
    /// Names: DNS, TLS hellos, and of HTTP the first request of each connection (host, method, status; not its path).
    /// What follows on that connection is not read, which is what this level saves.
    Names,
    /// Every exchange.
    #[default]
    Full,
}

impl L7Level {
    /// Every level, from less to more.
    pub const ALL: [Self; 3] = [Self::Off, Self::Names, Self::Full];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Names => "names",
            Self::Full => "full",
        }
    }
}

/// Bounds and habits above the transport layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct L7Config {
    /// How much is read.
    pub level: L7Level,
    /// Keep the query strings and user info of HTTP targets, which may hold secrets.
    pub keep_queries: bool,
    /// Most bytes of memory for the state of all flows of a tracker.
    pub max_bytes: usize,
}

impl Default for L7Config {
    fn default() -> Self {
        Self { level: L7Level::Full, keep_queries: false, max_bytes: 32 << 20 }
    }
}
