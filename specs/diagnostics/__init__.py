"""What is told to users: diagnostics, their codes and pages, fixes, and the forms they are printed in."""
