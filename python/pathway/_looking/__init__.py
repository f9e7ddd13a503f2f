"""What people see of tables: in notebooks and on terminals, at rest and while a run goes on."""
