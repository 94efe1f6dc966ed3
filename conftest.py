pytest_plugins = ["lib.course.budgets"]
