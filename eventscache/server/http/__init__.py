"""HTTP below the routes: connections, bodies, parameters, responses."""
