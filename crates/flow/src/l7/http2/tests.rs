mod behaviour;
mod gaps;
mod hostile;
mod wire;
