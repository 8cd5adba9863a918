//! Configuration as a program meets it: all layers together.

mod config;
